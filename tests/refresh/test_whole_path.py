"""From the vendor to the published file: whole tables against what the sandbox knows to be so."""

from datetime import timedelta

import pytest

import maestro_analytics as ma
from tests.refresh.conftest import NOW, assert_holds_the_truth, bring_up_to_date, centre, settings_for

SINCE = NOW - timedelta(days=41)


def test_a_backfill_holds_the_truth_to_the_row(tmp_path):
    with centre() as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(settings, sandbox, since=SINCE)
        assert report.status == "complete", report.errors
        assert_holds_the_truth(settings, sandbox)
        assert report.tables["total_scores"] == len(sandbox.truth.total_scores)
        assert sandbox.received.violations == []


def test_what_changes_later_is_followed(refreshed):
    """Re-grades, deletions, completed to-dos and vanished records, over three weeks of runs."""
    sandbox, settings = refreshed
    for _ in range(3):
        sandbox.advance(days=7)
        assert bring_up_to_date(settings, sandbox).status == "complete"
    assert_holds_the_truth(settings, sandbox)
    with ma.open(settings.database) as qa:
        deleted = qa.sql("select grade_key from state.deletions")
        assert deleted.height == len(sandbox.truth.deletions)
        assert qa.sql("from grade_history").height > 0


def test_an_empty_account_gives_empty_tables(tmp_path):
    """A period before anybody graded: nothing to download is a success, and every table is there."""
    with centre() as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(
            settings, sandbox, since=NOW - timedelta(days=900), until=NOW - timedelta(days=880), kinds=("raw", "audit")
        )
        assert report.status == "complete"
        assert set(report.tables.values()) == {0}
        with ma.open(settings.database) as qa:
            assert qa.sql("from grades").height == 0


def test_nothing_new_costs_as_many_requests_as_exports_and_pages_need(refreshed):
    sandbox, settings = refreshed
    before = len(sandbox.received.requests)
    report = bring_up_to_date(settings, sandbox)
    # Nothing of the windows is missing: the groups (asked, polled), and the pages of three lists.
    assert report.requests == len([r for r in sandbox.received.requests[before:] if r.origin == "api"])
    exports = [r for r in sandbox.received.requests[before:] if r.method == "POST"]
    assert [r.path for r in exports] == ["/request-groups-export"]


FAULTS = [
    "server-errors",
    "reset-before",
    "reset-after",
    "slow-download=1",
    "truncated-download",
    "expired-url",
    "errored",
    "errored-above=10",
    "unknown-member",
    "unsafe-member",
    "changing-pages",
    "too-many-requests",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_nothing_of_what_lands(tmp_path, fault):
    with centre(agents=3, days=14, largest_page=5, faults=[fault]) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(settings, sandbox, since=NOW - timedelta(days=15))
        assert report.status == "complete", report.errors
        assert_holds_the_truth(settings, sandbox)
        assert sandbox.received.violations == []
        assert not list(tmp_path.parent.rglob("escaped"))
