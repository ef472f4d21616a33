"""What a push sends: the difference to what the vendor acknowledged, in order of time, in batches of 500."""

import polars as pl
import pytest

from maestro_analytics.push import push_agent_metrics, push_ticket_metrics


def agents(*rows):
    return pl.DataFrame(rows, schema=["agent_id", "metric_id", "timestamp", "metric_value"], orient="row")


WEEK_1, WEEK_2, WEEK_3 = "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"


def test_12000_entries_go_in_24_batches_and_the_second_time_nothing_goes(transport, vendor):
    frame = agents(
        *((f"{agent:04}", "qa_score", week, agent / 7) for agent in range(4000) for week in (WEEK_1, WEEK_2, WEEK_3))
    )

    first = push_agent_metrics(transport, frame)
    assert (first.planned, first.sent, first.unchanged, first.requests) == (12_000, 12_000, 0, 24)
    assert [len(batch) for batch in vendor.batches] == [500] * 24
    assert vendor.series == {(agent, metric, week): value for agent, metric, week, value in frame.iter_rows()}

    second = push_agent_metrics(transport, frame)
    assert (second.planned, second.sent, second.unchanged, second.requests) == (0, 0, 12_000, 0)
    assert vendor.requests == 24


def test_entries_go_in_order_of_time_so_the_newest_stands_where_one_value_is_kept(transport, vendor):
    push_agent_metrics(transport, agents(("7", "m", WEEK_3, 3.0), ("7", "m", WEEK_1, 1.0), ("7", "m", WEEK_2, 2.0)))

    assert [entry["timestamp"] for entry in vendor.batches[0]] == [WEEK_1, WEEK_2, WEEK_3]
    assert vendor.one == {("7", "m"): 3.0}


def test_only_the_changed_value_is_sent_when_it_is_the_newest(transport, vendor):
    push_agent_metrics(transport, agents(("7", "m", WEEK_1, 1.0), ("7", "m", WEEK_2, 2.0), ("8", "m", WEEK_2, 5.0)))
    report = push_agent_metrics(
        transport, agents(("7", "m", WEEK_1, 1.0), ("7", "m", WEEK_2, 2.5), ("8", "m", WEEK_2, 5.0))
    )

    assert (report.planned, report.sent, report.unchanged, report.repeated) == (1, 1, 2, 0)
    assert [{"agent_id": "7", "metric_id": "m", "timestamp": WEEK_2, "metric_value": 2.5}] == vendor.batches[1]


def test_a_change_of_an_older_week_is_followed_by_the_newest_value_again(transport, vendor):
    """Where the vendor keeps one value for an agent and metric, the older week would stand in its place."""
    push_agent_metrics(transport, agents(("7", "m", WEEK_1, 1.0), ("7", "m", WEEK_2, 2.0), ("7", "m", WEEK_3, 3.0)))
    report = push_agent_metrics(transport, agents(("7", "m", WEEK_1, 1.5)))

    assert (report.planned, report.sent, report.repeated) == (1, 1, 1)
    assert vendor.one == {("7", "m"): 3.0}
    assert vendor.series == {("7", "m", WEEK_1): 1.5, ("7", "m", WEEK_2): 2.0, ("7", "m", WEEK_3): 3.0}


def test_a_value_that_returns_to_what_it_was_is_a_change_too(transport, vendor):
    for value in (1.0, 2.0, 1.0):
        push_agent_metrics(transport, agents(("7", "m", WEEK_1, value)))
    assert [batch[0]["metric_value"] for batch in vendor.batches] == [1.0, 2.0, 1.0]


def test_a_ticket_metric_is_deleted_and_comes_back(transport, vendor):
    def ticket(deleted):
        row = {"ticket_id": "0012", "source_id": "zendesk", "agent_id": "7", "metric_id": "csat", "metric_value": 4.0}
        return pl.DataFrame([row | {"timestamp": WEEK_1, "ticket_event_id": "survey-1", "metric_deleted": deleted}])

    push_ticket_metrics(transport, ticket(None))
    assert vendor.one == {("0012", "zendesk", "7", "csat"): 4.0}
    assert "metric_deleted" not in vendor.batches[0][0]

    push_ticket_metrics(transport, ticket(True))
    assert vendor.one == {}
    assert vendor.batches[1][0]["metric_deleted"] is True

    assert push_ticket_metrics(transport, ticket(True)).unchanged == 1
    assert push_ticket_metrics(transport, ticket(False)).sent == 1
    assert vendor.series == {("0012", "zendesk", "7", "csat", WEEK_1, "survey-1"): 4.0}
    assert vendor.requests == 3


def test_agent_and_ticket_metrics_of_the_same_names_are_kept_apart(transport, vendor):
    push_agent_metrics(transport, agents(("7", "csat", WEEK_1, 1.0)))
    report = push_ticket_metrics(
        transport, agents(("7", "csat", WEEK_1, 1.0)).with_columns(ticket_id=pl.lit("1"), source_id=pl.lit("front"))
    )
    assert report.sent == 1


@pytest.mark.parametrize("again", [{"value": 1.0}, {"value": 2.0}])
def test_a_frame_without_rows_sends_nothing(transport, vendor, again):
    push_agent_metrics(transport, agents(("7", "m", WEEK_1, again["value"])))
    report = push_agent_metrics(transport, agents(("7", "m", WEEK_1, 1.0)).clear())
    assert (report.planned, report.unchanged, vendor.requests) == (0, 0, 1)
