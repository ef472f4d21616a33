"""Each named fault of the sandbox, survived, with the same files in the end."""

import itertools
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from maestro_analytics import errors
from maestro_analytics.exports import FileLedger, MissedWindow, PollPace
from maestro_analytics.exports.adhoc import ExportResult

KINDS = ("raw", "groups", "audit")


def rows_of(results):
    """Kind -> table -> rows in order of all their columns."""
    assert not [result for result in results if isinstance(result, MissedWindow)], results
    tables = {}
    for kind in KINDS:
        exports = tuple(sorted((found for found in results if found.kind == kind), key=lambda found: found.seq))
        for name, frame in ExportResult(kind, exports).frames.items():
            tables[name] = frame.select(sorted(frame.columns)).sort(pl.all().exclude(pl.List(pl.String)))
    return tables


@pytest.fixture(scope="module")
def expected():
    """What an undisturbed run brings; filled by the first test that needs it."""
    return {}


@pytest.fixture
def undisturbed(expected, make_sandbox, transport_for, run, month, tmp_path):
    if not expected:
        wanted = {"groups": None, "raw": [month], "audit": [month]}
        book = FileLedger(tmp_path / "undisturbed.jsonl")
        expected.update(rows_of(run(transport_for(make_sandbox()), wanted, folder=tmp_path / "undisturbed", book=book)))
    return expected


@pytest.mark.parametrize(
    "fault",
    [
        "server-errors=3",
        "reset-before=3",
        "reset-after=4",
        "too-many-requests=3",
        "too-many-requests-bare=4",
        "truncated-download=2",
        "expired-url=2",
        "errored=3",
        "errored-above=20",
        "never-ends=1",
    ],
)
def test_a_fault_changes_nothing_about_the_rows_received(
    fault, undisturbed, make_sandbox, transport_for, month, run, tmp_path
):
    sandbox = make_sandbox(fault)
    transport = transport_for(sandbox, export_timeout=60)

    results = run(transport, {"groups": None, "raw": [month], "audit": [month]})

    found = rows_of(results)
    assert undisturbed.keys() == found.keys()
    for name, frame in undisturbed.items():
        assert_frame_equal(frame, found[name])
    assert not [path for path in (tmp_path / "exports").iterdir() if path.suffix == ".part"]
    store = [request for request in sandbox.received.requests if request.origin == "store"]
    assert store
    assert not any("apitoken" in {name.lower() for name in request.headers} for request in store)
    assert [] == sandbox.received.violations


def test_a_refused_token_stops_everything_and_what_is_asked_for_is_picked_up_with_a_new_one(
    make_sandbox, transport_for, month, run, undisturbed
):
    sandbox = make_sandbox("token-expires=6")
    with pytest.raises(errors.TokenRefused):
        run(transport_for(sandbox), {"raw": [month]})
    asked = len(sandbox.exports)
    assert 0 < asked <= 4

    sandbox.faults.switch_off()
    results = run(transport_for(sandbox), {"raw": [month]})

    assert 4 == len(sandbox.exports) == len(results)


def test_a_window_that_always_fails_is_missed_and_the_rest_comes(make_sandbox, transport_for, month, run):
    """The fault counts exports, so windows are made to fail by what they hold: none may hold more than no score."""
    sandbox = make_sandbox("errored-above=1")

    results = run(transport_for(sandbox), {"raw": [month]}, smallest_window=timedelta(days=2))

    missed = [result for result in results if isinstance(result, MissedWindow)]
    assert missed
    assert all("errored" in window.reason and "ask the vendor about export" in window.reason for window in missed[:1])
    covered = sorted([result.window for result in results])
    assert (month.start, month.end) == (covered[0].start, covered[-1].end)
    assert all(one.end == other.start for one, other in itertools.pairwise(covered))


def test_a_vendor_that_makes_no_exports_is_not_asked_for_every_hour(make_sandbox, transport_for, month, run, ledger):
    """Three of the smallest windows failed and none came: the rest of the month is missed as one window."""
    sandbox = make_sandbox("errored=100000")

    results = run(transport_for(sandbox), {"raw": [month]})

    assert all(isinstance(result, MissedWindow) for result in results)
    assert len(sandbox.exports) < 120
    covered = sorted(result.window for result in results)
    assert (month.start, month.end) == (covered[0].start, covered[-1].end)
    assert all(one.end == other.start for one, other in itertools.pairwise(covered))
    assert [] == ledger.unfinished()


def test_groups_that_err_are_asked_for_again_and_then_missed(make_sandbox, transport_for, run, ledger):
    sandbox = make_sandbox("errored=2")
    (export,) = run(transport_for(sandbox), {"groups": None})
    assert ("groups", "received") == (export.kind, export.status)
    ledger.landed(export.seq)

    sandbox.faults.switch_on("errored=100")
    (missed,) = run(transport_for(sandbox), {"groups": None})
    assert isinstance(missed, MissedWindow)
    assert missed.window is None
    assert 6 == len(sandbox.exports)


def test_a_time_without_data_is_a_success_with_nothing_to_download(make_sandbox, transport_for, month, run):
    from maestro_analytics.exports import Window

    before = Window(month.start - timedelta(days=30), month.start - timedelta(days=25))

    (export,) = run(transport_for(make_sandbox()), {"raw": [before]})

    assert ("empty", None, before) == (export.status, export.file, export.window)


def test_an_export_that_never_ends_is_given_up_after_its_time(make_sandbox, transport_for, month, run):
    sandbox = make_sandbox("never-ends=1000")
    transport = transport_for(sandbox)

    results = run(
        transport,
        {"raw": [month]},
        initial_window=timedelta(days=28),
        smallest_window=timedelta(days=28),
        timeout_seconds=40,
        pace=PollPace(),
    )

    (missed,) = results
    assert "did not end within 40 s (it was 'in_progress'" in missed.reason
    assert isinstance(missed.error, errors.ExportFailed)
    assert sandbox.exports[0].export_id in missed.reason
