"""A batch that the vendor refuses: the bad entries are found and named, all others arrive."""

import sqlite3
from contextlib import closing

import polars as pl
import pytest

from maestro_analytics.errors import TokenRefused
from maestro_analytics.push import push_agent_metrics, push_ticket_metrics

DAY = "2026-01-05T00:00:00Z"


def scores(count, *, metric="m", timestamp=DAY):
    rows = [(f"{agent:04}", metric, timestamp, float(agent)) for agent in range(count)]
    return pl.DataFrame(rows, schema=["agent_id", "metric_id", "timestamp", "metric_value"], orient="row")


def expected(count, *, without=(), metric="m", timestamp=DAY):
    return {(f"{agent:04}", metric, timestamp): float(agent) for agent in range(count) if f"{agent:04}" not in without}


@pytest.mark.parametrize("status", [422, 400, 404])
def test_bad_entries_stand_alone_and_the_good_ones_go_through(transport, vendor, status):
    vendor.unknown_agents = {"0003", "0499", "0700"}
    vendor.answer = answer_with(vendor, status)
    report = push_agent_metrics(transport, scores(1000))

    assert vendor.series == expected(1000, without=vendor.unknown_agents)
    assert (report.planned, report.sent, report.unknown) == (1000, 997, [])
    assert report.rejected == [
        {
            "agent_id": agent,
            "metric_id": "m",
            "timestamp": DAY,
            "ticket_id": None,
            "source_id": None,
            "reason": "some agent_id is not associated with an agent",
        }
        for agent in ("0003", "0499", "0700")
    ]
    # Two requests for each halving on the way to each bad entry, and one for each batch.
    assert vendor.requests <= 2 + 3 * 2 * 9


def answer_with(vendor, status):
    def answer(entries):
        vendor.batches.append(entries)
        if any(map(vendor.is_bad, entries)):
            return status, {"message": vendor.words([])}
        vendor.keep(entries)
        return 201, {"results": vendor.results(entries)}

    return answer


@pytest.mark.parametrize(
    "tell",
    [
        lambda entry: {"agent_id": entry["agent_id"], "metric_id": entry["metric_id"], "message": "no such agent"},
        lambda entry: {"index": 3, "message": "no such agent"},
        lambda entry: "no such agent",
    ],
    ids=["by name", "by position", "in words"],
)
def test_errors_beside_the_results_of_a_reply_reject_the_entries_that_they_mean(transport, vendor, tell):
    vendor.unknown_agents = {"0003", "0007"}

    def answer(entries):
        vendor.batches.append(entries)
        good = [entry for entry in entries if not vendor.is_bad(entry)]
        vendor.keep(good)
        bad = [tell(entry) for entry in entries if vendor.is_bad(entry)]
        return 200, {"results": vendor.results(good), "errors": bad}

    vendor.answer = answer
    for _ in range(2):
        report = push_agent_metrics(transport, scores(10))
        assert [(told["agent_id"], told["reason"]) for told in report.rejected] == [
            ("0003", "no such agent"),
            ("0007", "no such agent"),
        ]
        assert (vendor.series, report.unknown) == (expected(10, without=vendor.unknown_agents), [])


def test_a_message_that_names_the_bad_agents_saves_the_halving(transport, vendor):
    vendor.unknown_agents = {"0017", "0333"}
    vendor.words = lambda bad: "unknown agents: " + ", ".join(entry["agent_id"] for entry in bad) + "."
    report = push_agent_metrics(transport, scores(500))

    assert vendor.series == expected(500, without=vendor.unknown_agents)
    assert [entry["agent_id"] for entry in report.rejected] == ["0017", "0333"]
    assert [len(batch) for batch in vendor.batches] == [500, 2, 1, 1, 498]


def test_a_message_that_names_a_good_agent_misleads_nobody_for_long(transport, vendor):
    vendor.unknown_agents = {"0444"}
    vendor.words = lambda bad: "agent_id 0000 looks fine, another does not"
    report = push_agent_metrics(transport, scores(500))

    assert vendor.series == expected(500, without={"0444"})
    assert [entry["agent_id"] for entry in report.rejected] == ["0444"]
    assert vendor.requests <= 3 + 2 * 9


def test_a_metric_that_the_vendor_takes_from_nobody_does_not_cost_a_request_for_each_entry(transport, vendor):
    vendor.is_bad = lambda entry: entry["metric_id"] == "nonsense"
    vendor.words = lambda bad: "metric_id nonsense is unknown"
    report = push_agent_metrics(transport, scores(1000, metric="nonsense"))

    assert report.sent == 0
    assert len(report.rejected) == 1000
    assert vendor.requests < 130


def history(agents, weeks):
    frames = [
        scores(agents, timestamp=f"{2000 + week // 52}-{1 + week % 52 // 5:02}-{1 + week % 52 % 5:02}T00:00:00Z")
        for week in range(weeks)
    ]
    return pl.concat(frames)


def test_an_agent_with_a_long_history_does_not_cost_a_request_for_each_week(transport, vendor):
    vendor.unknown_agents = {"0003"}
    report = push_agent_metrics(transport, history(6, 100))

    assert {entry["agent_id"] for entry in report.rejected} == {"0003"}
    assert (report.sent, len(report.rejected)) == (500, 100)
    assert len(vendor.series) == 500
    assert vendor.requests < 60


def test_an_entry_refused_for_its_timestamp_does_not_condemn_its_agent(transport, vendor):
    """All but the newest of an agent are too old; a sample that is spread over time meets those that are not."""
    frame = history(1, 60)
    moments = frame["timestamp"].to_list()
    vendor.is_bad = lambda entry: entry["timestamp"] < moments[55]
    vendor.words = lambda bad: "timestamp is too old"
    report = push_agent_metrics(transport, frame)

    assert vendor.series == {("0000", "m", moment): 0.0 for moment in moments[55:]}
    assert (report.sent, len(report.rejected)) == (5, 55)


def test_every_row_of_an_agent_keeps_its_order_through_the_halving(transport, vendor):
    weeks = [f"2026-{month:02}-01T00:00:00Z" for month in range(1, 13)]
    frame = pl.concat(
        [scores(40, timestamp=week).with_columns(pl.col("metric_value") + i) for i, week in enumerate(weeks)]
    )
    vendor.unknown_agents = {"0013", "0014"}
    push_agent_metrics(transport, frame)

    assert vendor.one == {(f"{agent:04}", "m"): agent + 11.0 for agent in range(40) if agent not in (13, 14)}


def test_a_newer_value_that_is_refused_leaves_the_last_good_one_standing(transport, vendor):
    """Where one value is kept, the change of the older week must not stay in the newest week's place."""
    vendor.is_bad = lambda entry: entry["metric_value"] > 100
    old, new = "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"
    rows = {"agent_id": ["7", "7"], "metric_id": ["m", "m"], "timestamp": [old, new]}
    push_agent_metrics(transport, pl.DataFrame(rows | {"metric_value": [1.0, 2.0]}))
    report = push_agent_metrics(transport, pl.DataFrame(rows | {"metric_value": [1.5, 200.0]}))

    assert vendor.one == {("7", "m"): 2.0}
    assert vendor.series == {("7", "m", old): 1.5, ("7", "m", new): 2.0}
    assert (report.planned, report.sent, report.repeated, len(report.rejected)) == (2, 1, 1, 1)


def test_a_refused_entry_is_tried_again_by_the_next_push(transport, vendor):
    vendor.unknown_agents = {"0001"}
    push_agent_metrics(transport, scores(3))
    vendor.unknown_agents = set()
    report = push_agent_metrics(transport, scores(3))

    assert (report.planned, report.sent, report.unchanged, report.rejected) == (1, 1, 2, [])
    assert vendor.series == expected(3)


def test_what_was_refused_before_goes_last_together_and_costs_one_request(transport, vendor):
    vendor.unknown_agents = {f"09{number:02}" for number in range(5)}
    vendor.words = lambda bad: f"{len(bad)} are unknown"
    push_agent_metrics(transport, scores(1000))
    before = vendor.requests
    changed = scores(1000).with_columns(pl.col("metric_value") + 0.5)
    report = push_agent_metrics(transport, changed)

    assert [len(batch) for batch in vendor.batches[before:]] == [500, 495, 5]
    assert (report.sent, len(report.rejected)) == (995, 5)
    assert {told["reason"] for told in report.rejected} == {"1 are unknown"}
    vendor.unknown_agents = set()
    before = vendor.requests
    assert (push_agent_metrics(transport, changed).sent, vendor.requests - before) == (5, 1)


def test_an_agent_that_the_vendor_knows_now_arrives_with_the_next_push_beside_few_that_it_does_not(transport, vendor):
    weeks = pl.concat([scores(6, timestamp=f"2026-01-{day:02}T00:00:00Z") for day in (5, 12)])
    vendor.unknown_agents = {"0001", "0002", "0003"}
    push_agent_metrics(transport, weeks)
    vendor.unknown_agents = {"0001", "0003"}
    before = vendor.requests
    report = push_agent_metrics(transport, weeks)

    assert (report.sent, {told["agent_id"] for told in report.rejected}) == (2, {"0001", "0003"})
    assert [len(batch) for batch in vendor.batches[before:]] == [6, 2, 2, 2]


def test_of_many_refused_agents_each_is_tried_again_after_a_day(transport, vendor, settings):
    vendor.unknown_agents = {f"{number:04}" for number in range(1, 6)}
    push_agent_metrics(transport, scores(6))
    vendor.unknown_agents -= {"0002"}
    assert push_agent_metrics(transport, scores(6)).sent == 0
    with closing(sqlite3.connect(settings.data / "pushes.sqlite")) as ledger, ledger:
        ledger.execute("update pushes set sent_at = sent_at - 86400")
    report = push_agent_metrics(transport, scores(6))
    assert (report.sent, {told["agent_id"] for told in report.rejected}) == (1, vendor.unknown_agents)


def test_a_good_metric_of_an_agent_is_not_held_up_by_one_that_was_refused(transport, vendor):
    vendor.is_bad = lambda entry: entry["metric_id"] == "nonsense"
    push_agent_metrics(transport, scores(2, metric="nonsense"))
    report = push_agent_metrics(transport, pl.concat([scores(2, metric="nonsense"), scores(2)]))
    assert (report.sent, len(report.rejected)) == (2, 2)
    assert vendor.series == expected(2)


def test_a_ticket_that_the_vendor_does_not_know_is_named(transport, vendor):
    vendor.is_bad = lambda entry: entry["ticket_id"] == "t2"
    vendor.words = lambda bad: f"no ticket {bad[0]['ticket_id']}" if bad else ""
    frame = pl.DataFrame({"ticket_id": ["t1", "t2", "t3"]}).with_columns(
        source_id=pl.lit("front"), agent_id=pl.lit("7"), metric_id=pl.lit("m"), metric_value=1.0, timestamp=pl.lit(DAY)
    )
    report = push_ticket_metrics(transport, frame)

    assert [(entry["ticket_id"], entry["reason"]) for entry in report.rejected] == [("t2", "no ticket t2")]
    assert sorted(slot[0] for slot in vendor.one) == ["t1", "t3"]


def test_a_refused_token_ends_the_push_at_once_and_leaves_nothing_unknown(transport, vendor):
    vendor.faults.extend(["ok", "401"])
    with pytest.raises(TokenRefused):
        push_agent_metrics(transport, scores(1500))
    assert vendor.requests == 2

    report = push_agent_metrics(transport, scores(1500))
    assert (report.planned, report.sent, report.unchanged, report.resent) == (1000, 1000, 500, 0)
