"""A reply is matched to the entries by the names in it: in any order, misspelt, incomplete, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest

from maestro_analytics.push.entries import Entry, Kind
from maestro_analytics.push.replies import NOT_NAMED, read_reply

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def entry(agent, *, metric="m", week=0, ticket="", source=""):
    return Entry(agent, ticket, source, metric, MONDAY + timedelta(weeks=week), "", 1.0, None)


A, B, C = entry("a"), entry("b"), entry("c")


def read(batch, results, *, kind=Kind.AGENT, names_expected=False):
    reply = read_reply(batch, results, kind=kind, names_expected=names_expected)
    return reply.acknowledged, reply.rejected, reply.unconfirmed + reply.doubted


def test_results_in_another_order_are_matched_by_their_names():
    results = [{"agent_id": name, "metric_id": "m"} for name in "cab"]
    assert read([A, B, C], results) == ([A, B, C], [], [])


def test_an_entry_that_no_result_names_is_not_confirmed():
    """By position, `c` would take the place of `b`."""
    results = [{"agent_id": "a", "metric_id": "m"}, {"agent_id": "c", "metric_id": "m"}]
    assert read([A, B, C], results) == ([A, C], [], [(B, NOT_NAMED)])


@pytest.mark.parametrize(
    "results",
    [
        [{"ticket_id": "1234", "metric_id": "hours_worked"}, {"ticket_id": "12345", "metric_id": "hours_worked"}],
        [{"metric_id": "m"}],
        [],
        [{"agent_id": "canonical-17", "metric_id": "m"}, {"agent_id": "a", "metric_id": "m"}],
        [{"agent_id": "a", "metric_id": "m", "timestamp": "2026-11-24T10:11:12.345Z"}],
        ["created", None],
    ],
    ids=["the reference's example", "no agent", "empty", "ids of the vendor's own", "times of creation", "no objects"],
)
def test_a_reply_that_cannot_be_matched_stands_for_the_whole_batch(results):
    assert read([A, B], results) == ([A, B], [], [])


def test_an_empty_reply_confirms_nothing_where_earlier_ones_gave_names():
    assert read([A], [], names_expected=True) == ([], [], [(A, NOT_NAMED)])


def test_misspelt_names_are_understood():
    results = [{"aegnt_id": "b", "mtric_id": "m"}]
    assert read([A, B], results) == ([B], [], [(A, NOT_NAMED)])


def test_a_result_with_an_error_rejects_the_entry_that_it_names():
    results = [{"agent_id": "b", "metric_id": "m", "error": "no such agent"}, {"agent_id": "a", "metric_id": "m"}]
    assert read([A, B], results) == ([A], [(B, "no such agent")], [])


def test_an_error_that_names_nobody_leaves_the_unnamed_entries_unconfirmed():
    results = [{"agent_id": "a", "metric_id": "m"}, {"status": "failed", "message": "one could not be stored"}]
    assert read([A, B], results) == ([A], [], [(B, "one could not be stored")])


def test_an_empty_error_field_is_not_an_error():
    assert read([A], [{"agent_id": "a", "metric_id": "m", "error": None, "errors": []}]) == ([A], [], [])


def test_timestamps_tell_the_weeks_of_one_agent_apart():
    first, second = entry("a"), entry("a", week=1)
    results = [{"agent_id": "a", "metric_id": "m", "timestamp": "2026-01-12T00:00:00.000Z"}]
    assert read([first, second], results) == ([second], [], [(first, NOT_NAMED)])


def test_results_without_timestamps_confirm_every_week_that_they_name():
    first, second = entry("a"), entry("a", week=1)
    assert read([first, second], [{"agent_id": "a", "metric_id": "m"}]) == ([first, second], [], [])


def test_an_email_address_is_matched_in_any_case_and_an_id_is_not():
    email, upper = entry("ann@example.com"), entry("A")
    assert read([email], [{"agent_id": "Ann@Example.com", "metric_id": "m"}], names_expected=True) == ([email], [], [])
    assert read([upper, A], [{"agent_id": "A", "metric_id": "m"}]) == ([upper], [], [(A, NOT_NAMED)])


def test_tickets_are_matched_by_ticket_also_without_the_agent():
    one, two = entry("a", ticket="0012", source="front"), entry("a", ticket="12", source="front")
    results = [{"ticket_id": "0012", "metric_id": "m"}]
    assert read([one, two], results, kind=Kind.TICKET) == ([one], [], [(two, NOT_NAMED)])
