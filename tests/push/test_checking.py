"""Every row that cannot be sent is named with its reason; the others go."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.push.entries import Kind, api_moment, entries_of
from maestro_analytics.push.validate import check_entries

GOOD = {"agent_id": "007", "metric_id": "hours", "metric_value": "17", "timestamp": "2017-12-13T05:00:00Z"}
NO_MOMENT = "is not a moment like 2017-12-13T05:00:00Z"
TICKET = GOOD | {"ticket_id": "0012", "source_id": "front"}


def check(*rows, kind=Kind.AGENT, known=None):
    return check_entries(pl.DataFrame(rows), kind=kind, known_agents=known)


def bodies(checked):
    return [entry.body() for entry in entries_of(checked.entries)]


def test_a_good_row_is_sent_as_the_reference_says_with_its_zeros():
    checked = check(GOOD)
    assert checked.refused == []
    assert bodies(checked) == [
        {"agent_id": "007", "metric_id": "hours", "metric_value": 17.0, "timestamp": "2017-12-13T05:00:00Z"}
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"agent_id": None}, "agent_id is required"),
        ({"agent_id": ""}, "agent_id is required"),
        ({"metric_id": None}, "metric_id is required"),
        ({"metric_value": None}, "metric_value is required"),
        ({"metric_value": " "}, "metric_value is required"),
        ({"metric_value": "seventeen"}, "metric_value 'seventeen' is not a number"),
        ({"metric_value": "1,5"}, "metric_value '1,5' is not a number"),
        ({"metric_value": "nan"}, "metric_value is not a finite number"),
        ({"metric_value": "-inf"}, "metric_value is not a finite number"),
        ({"timestamp": None}, "timestamp is required"),
        ({"timestamp": "2017-12-13T05:00:00"}, f"timestamp '2017-12-13T05:00:00' {NO_MOMENT}"),
        ({"timestamp": "2017-02-30T05:00:00Z"}, f"timestamp '2017-02-30T05:00:00Z' {NO_MOMENT}"),
        ({"timestamp": "13.12.2017"}, f"timestamp '13.12.2017' {NO_MOMENT}"),
    ],
)
def test_a_bad_row_is_named_and_the_others_go(change, reason):
    checked = check(GOOD | change, GOOD | {"metric_id": "other"})
    assert [(refusal["reason"], refusal["agent_id"]) for refusal in checked.refused] == [
        (reason, (GOOD | change)["agent_id"])
    ]
    assert [body["metric_id"] for body in bodies(checked)] == ["other"]


def test_agents_are_known_by_id_or_by_email_in_any_case():
    rows = [GOOD | {"agent_id": agent} for agent in ("007", "Ann@Example.com", "7", "ghost")]
    checked = check(*rows, known={"007", "ann@example.com"})
    assert [body["agent_id"] for body in bodies(checked)] == ["007", "Ann@Example.com"]
    assert [refusal["agent_id"] for refusal in checked.refused] == ["7", "ghost"]
    assert all("in agent_ids" in str(refusal["reason"]) for refusal in checked.refused)


def test_rows_that_say_the_same_twice_go_once():
    checked = check(GOOD, GOOD, GOOD | {"metric_value": "17.0", "timestamp": "2017-12-13T06:00:00.25+01:00"})
    assert (len(bodies(checked)), checked.refused) == (1, [])


def test_rows_that_contradict_each_other_are_all_refused():
    checked = check(GOOD, GOOD | {"metric_value": "18"}, GOOD | {"metric_id": "other"})
    assert [body["metric_id"] for body in bodies(checked)] == ["other"]
    assert ["different values" in str(refusal["reason"]) for refusal in checked.refused] == [True, True]


def test_a_bad_twin_does_not_take_the_good_row_with_it():
    checked = check(GOOD, GOOD | {"metric_value": "x"})
    assert len(bodies(checked)) == 1
    assert len(checked.refused) == 1


def test_a_ticket_metric_carries_its_optional_fields_only_where_they_say_something():
    rows = [
        TICKET | {"ticket_event_id": "survey-9", "metric_deleted": "TRUE"},
        TICKET | {"metric_id": "b", "ticket_event_id": None, "metric_deleted": None},
        TICKET | {"metric_id": "c", "ticket_event_id": None, "metric_deleted": "maybe"},
    ]
    checked = check(*rows, kind=Kind.TICKET)
    base = TICKET | {"metric_value": 17.0}
    assert bodies(checked) == [
        base | {"metric_id": "b"},
        base | {"ticket_event_id": "survey-9", "metric_deleted": True},
    ]
    assert checked.refused[0]["reason"] == "metric_deleted 'maybe' is neither true nor false"


def test_two_surveys_of_one_ticket_at_one_moment_are_two_entries():
    rows = [TICKET | {"ticket_event_id": event, "metric_value": value} for event, value in (("s1", "4"), ("s2", "5"))]
    assert [body["metric_value"] for body in bodies(check(*rows, kind=Kind.TICKET))] == [4.0, 5.0]


def test_an_agent_metric_cannot_be_deleted():
    checked = check(GOOD | {"metric_deleted": "true"}, GOOD | {"metric_id": "b", "metric_deleted": "false"})
    assert [body["metric_id"] for body in bodies(checked)] == ["b"]
    assert "tickets only" in str(checked.refused[0]["reason"])


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pl.DataFrame([GOOD]).drop("metric_id"), "need metric_id"),
        (pl.DataFrame([GOOD]).rename({"metric_id": "mtric_id"}), "write 'metric_id'"),
        (pl.DataFrame([GOOD | {"agent_id": 7}]), "agent_id is Int64"),
        (pl.DataFrame([GOOD | {"metric_value": True}]), "metric_value is Boolean"),
        (pl.DataFrame([GOOD | {"timestamp": datetime(2026, 1, 5)}]), "needs a time zone"),
        (pl.DataFrame(), "need agent_id, metric_id, metric_value, timestamp; the columns are none"),
    ],
)
def test_a_frame_with_missing_columns_or_wrong_types_is_refused_as_a_whole(frame, words):
    with pytest.raises(InvalidArgument, match=words):
        check_entries(frame, kind=Kind.AGENT, known_agents=None)


def test_a_misspelt_deletion_is_not_taken_for_a_value():
    with pytest.raises(InvalidArgument, match="write 'metric_deleted'"):
        check(TICKET | {"metric_delete": "true"}, kind=Kind.TICKET)


def test_columns_of_ones_own_are_left_out_with_a_warning():
    checked = check(GOOD | {"agent_name": "Ann"})
    assert len(bodies(checked)) == 1
    assert "agent_name" in checked.warnings[0]


def test_typed_columns_are_taken_as_they_are():
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    frame = pl.DataFrame([GOOD | {"metric_value": 3, "timestamp": moment}]).with_columns(
        pl.col("timestamp").dt.convert_time_zone("Asia/Tokyo")
    )
    checked = check_entries(frame, kind=Kind.AGENT, known_agents=None)
    assert bodies(checked) == [GOOD | {"metric_value": 3.0, "timestamp": "2026-01-05T00:00:00Z"}]


@given(
    moment=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()),
    value=st.floats(allow_nan=False, allow_infinity=False),
)
def test_a_moment_and_a_value_written_as_text_come_back_as_they_were(moment, value):
    checked = check(GOOD | {"timestamp": moment.isoformat(), "metric_value": repr(value)})
    if checked.refused:  # an offset with seconds, which ISO 8601 does not have
        assert moment.utcoffset().total_seconds() % 60
        return
    assert bodies(checked) == [GOOD | {"metric_value": value, "timestamp": api_moment(moment)}]
