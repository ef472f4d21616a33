"""csat: one row per ticket, though a file repeats it for each grade."""

from tests.warehouse.data_folder import SURVEY


def test_a_survey_repeated_for_each_grade_is_one_row(data):
    landed = data.land_rows(csat=[SURVEY] * 3)

    account = landed.row_counts["csat"]
    assert (account.read, account.landed, account.repeated, account.quarantined) == (3, 1, 2, 0)


def test_a_ticket_number_of_two_helpdesks_is_two_tickets(data):
    data.land_rows(csat=[SURVEY, SURVEY | {"source": "front"}, SURVEY | {"source": "Unknown"}])

    assert data.column("select source from csat order by all") == ["front", "zendesk", None]


def test_of_two_answers_the_one_with_a_score_lands_and_then_the_last(data):
    no_score = SURVEY | {"csat_score": "N/A"}
    data.land_rows(csat=[SURVEY | {"csat_score": "1"}, SURVEY | {"csat_score": "2"}, no_score])

    assert data.column("select csat_score from csat") == [2.0]
    assert data.rows("select line, raw from state.quarantine order by line") == [
        (2, '5310985,1,ok,"=""2026-01-01 09:00:00""",zendesk'),
        (4, '5310985,N/A,ok,"=""2026-01-01 09:00:00""",zendesk'),
    ]


def test_conflicting_surveys_do_not_use_up_the_budget(data):
    """They are well-formed rows that another row has overtaken, not damage."""
    assert data.land_rows(csat=[SURVEY, SURVEY | {"csat_score": "2"}]).is_covered


def test_a_later_survey_replaces_the_earlier_one_of_its_ticket_alone(data):
    data.land_rows(csat=[SURVEY, SURVEY | {"source": ""}, SURVEY | {"gradable_id": "2"}])
    data.land_rows(csat=[SURVEY | {"source": "", "csat_score": "1"}])

    assert data.rows("select source, gradable_id, csat_score from csat order by all") == [
        ("zendesk", "2", 4.0),
        ("zendesk", "5310985", 4.0),
        (None, "5310985", 1.0),
    ]
