"""A reply that is lost leaves the outcome unknown: the same entry goes again, under the same identity."""

import polars as pl
import pytest

from maestro_analytics.errors import TryAgain
from maestro_analytics.push import push_agent_metrics
from maestro_analytics.push.entries import Kind
from maestro_analytics.push.ledger import read_ledger

WEEK_1, WEEK_2 = "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"


def values(*rows):
    return pl.DataFrame(rows, schema=["agent_id", "metric_id", "timestamp", "metric_value"], orient="row")


def many(count):
    return values(*((f"{agent:04}", "m", WEEK_1, float(agent)) for agent in range(count)))


def statuses(settings):
    return read_ledger(settings.data, Kind.AGENT)["status"].to_list()


@pytest.mark.parametrize("fault", ["lost", "reset", "500", "503"])
def test_after_one_fault_the_vendor_holds_exactly_the_right_values(transport, vendor, settings, fault):
    vendor.faults.extend(["ok", fault])
    report = push_agent_metrics(transport, many(1200))

    assert vendor.series == {(f"{agent:04}", "m", WEEK_1): float(agent) for agent in range(1200)}
    assert (report.sent, report.rejected, report.unknown) == (1200, [], [])
    assert set(statuses(settings)) == {"acknowledged"}
    # A 5xx is an answer, and the client's own retry; a lost reply is ours to decide.
    assert report.resent == (500 if fault in ("lost", "reset") else 0)


def test_replies_that_stay_lost_are_reported_as_unknown_and_settled_by_the_next_push(transport, vendor, settings):
    vendor.faults.extend(["lost"] * 3)
    first = push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.0)))

    assert (first.sent, first.resent, len(first.unknown)) == (0, 2, 1)
    assert first.unknown[0] | {"reason": ""} == {
        "agent_id": "7",
        "metric_id": "m",
        "timestamp": WEEK_1,
        "ticket_id": None,
        "source_id": None,
        "reason": "",
    }
    assert "may have been carried out" in first.unknown[0]["reason"]
    assert statuses(settings) == ["unknown"]

    second = push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.0)))
    assert (second.planned, second.sent, second.unknown) == (1, 1, [])
    assert statuses(settings) == ["acknowledged"]


def test_an_unknown_entry_is_settled_by_a_push_about_something_else(transport, vendor, settings):
    vendor.faults.extend(["lost"] * 3)
    push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.0)))
    report = push_agent_metrics(transport, values(("8", "other", WEEK_1, 2.0)))

    assert (report.planned, report.sent) == (2, 2)
    assert statuses(settings) == ["acknowledged"] * 2


def test_an_unknown_entry_goes_again_even_when_its_old_value_returns(transport, vendor):
    """The vendor acknowledged 1.0, may or may not hold 2.0, and is to hold 1.0 again."""
    push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.0)))
    vendor.faults.extend(["lost"] * 3)
    push_agent_metrics(transport, values(("7", "m", WEEK_1, 2.0)))
    assert vendor.one == {("7", "m"): 2.0}

    report = push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.0)))
    assert report.sent == 1
    assert vendor.one == {("7", "m"): 1.0}


def test_an_older_week_that_stayed_unknown_does_not_overtake_the_newest(transport, vendor):
    push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.0), ("7", "m", WEEK_2, 2.0)))
    vendor.faults.extend(["lost"] * 3)
    push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.5)))
    push_agent_metrics(transport, values(("7", "m", WEEK_1, 1.5), ("7", "m", WEEK_2, 2.0)))

    assert vendor.one == {("7", "m"): 2.0}
    assert vendor.series == {("7", "m", WEEK_1): 1.5, ("7", "m", WEEK_2): 2.0}


def test_a_vendor_that_answers_only_500_ends_the_push_and_the_next_one_goes_on(transport, vendor, settings):
    vendor.faults.extend(["ok"] + ["500"] * 12)
    with pytest.raises(TryAgain):
        push_agent_metrics(transport, many(2500))
    assert sorted(set(statuses(settings))) == ["acknowledged", "planned", "unknown"]

    report = push_agent_metrics(transport, many(2500))
    assert (report.planned, report.sent, report.unchanged) == (2000, 2000, 500)
    assert len(vendor.series) == 2500
