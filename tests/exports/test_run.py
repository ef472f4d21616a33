"""A run of exports: what it costs, what it picks up, how it ends."""

import itertools
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from maestro_analytics import errors
from maestro_analytics.api.clock import Clock
from maestro_analytics.api.exports import ExportRequests
from maestro_analytics.exports import MissedWindow, PollPace, Window, plan_windows, run_exports
from maestro_analytics.exports.ledger import ExportRecord, file_stem
from maestro_analytics.exports.lifecycle import PollShare
from maestro_analytics.exports.progress import Planned, Polled, Received, Receiving, Requested
from maestro_analytics.exports.scheduler import polls_within


def test_half_a_year_costs_hardly_more_than_it_must(make_sandbox, transport_for, run):
    """26 weeks, each export made in 20 seconds of the clock: one request and the polls at 2, 5, 9.5, 16 and 26 s."""
    sandbox = make_sandbox(agents=1, days=182, grades_per_agent_week=1, export_seconds=0.1)
    transport = transport_for(sandbox)
    half_a_year = Window(sandbox.now - timedelta(days=182), sandbox.now)

    results = run(transport, {"raw": [half_a_year]})

    least = 26 * (1 + polls_within(20, PollPace()))
    assert 26 * 6 == least
    assert 26 == len(results)
    assert transport.requests_made <= 1.15 * least
    assert len(sandbox.received.api()) == transport.requests_made


class HandClock(Clock):
    """A clock that moves only when somebody waits."""

    now = 0.0

    def seconds(self):
        return self.now

    def wait(self, seconds, stop=None):
        self.now += seconds


def test_polls_take_at_most_half_of_the_requests_of_any_minute():
    clock = HandClock()
    share = PollShare(per_minute=41, clock=clock)
    polls = []
    for _ in range(200):
        share.wait_for_turn(threading.Event())
        polls.append(clock.now)
        clock.wait(0.75)

    counts = [sum(first <= moment < first + 60 for moment in polls) for first in polls]
    assert 20 == max(counts)
    assert polls[-1] < 60 * 200 / 20


def test_results_come_while_others_are_in_flight(make_sandbox, transport_for, month, ledger, tmp_path, monkeypatch):
    """The fourth never ends; the others are handed over all the same, and closing stops what is left."""
    sandbox = make_sandbox()
    transport = transport_for(sandbox)
    waiting = threading.Event()
    original = ExportRequests.state

    def state(self, export_id, *, stop=None):
        found = original(self, export_id, stop=stop)
        if export_id == sandbox.exports[0].export_id:
            waiting.set()
            return replace(found, status="in_progress")
        return found

    monkeypatch.setattr(ExportRequests, "state", state)
    with run_exports(transport, {"raw": [month]}, ledger, tmp_path / "exports") as results:
        found = [next(results) for _ in range(3)]

    assert waiting.is_set()
    assert ["received"] * 3 == [export.status for export in found]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("export-")]
    assert [sandbox.exports[0].export_id] == [one.export_id for one in ledger.unfinished() if one.status == "requested"]


@pytest.mark.parametrize("step", [Requested, Polled, Receiving, Received])
def test_a_stop_ends_a_run_at_once_and_the_next_one_goes_on(step, make_sandbox, settings_for, month, run):
    """With a clock that really waits: a day until the first poll, which the stop cuts short."""
    from maestro_analytics.api import Transport

    sandbox = make_sandbox("slow-download=1")
    stop = threading.Event()
    pace = PollPace(first_seconds=86_400 if step is Requested else 0.05)
    with Transport(settings_for(sandbox), clock=Clock()) as transport:
        with pytest.raises(errors.Cancelled):
            run(
                transport,
                {"raw": [month]},
                pace=pace,
                stop=stop,
                on_event=lambda event: stop.set() if isinstance(event, step) else None,
            )
        asked = len(sandbox.exports)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("export-")]

        results = run(transport, {"raw": [month]}, pace=PollPace(first_seconds=0.05))

    assert 0 < asked <= 4
    assert 4 == len(sandbox.exports) == len(results)


def test_an_error_of_the_caller_is_not_swallowed_and_stops_the_run(make_sandbox, transport_for, month, run):
    def broken(event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(transport_for(make_sandbox()), {"raw": [month]}, on_event=broken)


def test_a_kept_file_that_was_damaged_is_downloaded_again_and_not_asked_for(
    make_sandbox, transport_for, month, run, tmp_path
):
    sandbox = make_sandbox()
    first = run(transport_for(sandbox), {"raw": [month]})
    before = {export.file: export.file.read_bytes() for export in first}
    damaged, missing, *_ = before
    damaged.write_bytes(b"x" + before[damaged][1:])
    missing.unlink()
    fetched = len([request for request in sandbox.received.requests if request.origin == "store"])

    again = run(transport_for(sandbox), {"raw": [month]})

    assert 4 == len(sandbox.exports)
    assert before == {export.file: export.file.read_bytes() for export in again}
    assert fetched + 2 == len([request for request in sandbox.received.requests if request.origin == "store"])


def test_an_export_that_the_vendor_forgot_is_asked_for_again(make_sandbox, transport_for, month, run, ledger):
    record = ledger.plan("raw", month, month.end)
    ledger.asked(record.seq, "forgotten")
    sandbox = make_sandbox()

    (export,) = run(transport_for(sandbox), {"raw": [month]}, initial_window=timedelta(days=28))

    assert month == export.window
    assert 1 == len(sandbox.exports)
    assert [export.seq] == [one.seq for one in ledger.unfinished()]


def test_a_week_that_is_in_flight_is_not_asked_for_twice(make_sandbox, transport_for, month, run, ledger):
    """The second week was asked for by a run that was killed; the others are cut around it."""
    sandbox = make_sandbox()
    transport = transport_for(sandbox)
    second = Window(month.start + timedelta(days=7), month.start + timedelta(days=14))
    record = ledger.plan("raw", second, month.end)
    ledger.asked(record.seq, ExportRequests(transport).request("raw", second.parameters()))

    results = run(transport, {"raw": [month]})

    windows = sorted(export.window for export in results)
    assert second in windows
    assert (month.start, month.end) == (windows[0].start, windows[-1].end)
    assert all(one.end == other.start for one, other in itertools.pairwise(windows))
    assert 4 == len(sandbox.exports)


def test_kinds_that_are_not_wanted_are_left_for_another_run(make_sandbox, transport_for, month, run, ledger):
    record = ledger.plan("audit", month, month.end)
    ledger.asked(record.seq, "of an audit")

    (groups,) = run(transport_for(make_sandbox()), {"groups": None})

    assert "groups" == groups.kind
    assert ["audit", "groups"] == [one.kind for one in ledger.unfinished()]


def test_a_snapshot_of_hours_ago_is_not_picked_up(make_sandbox, transport_for, run, ledger, clock):
    sandbox = make_sandbox()
    transport = transport_for(sandbox)
    old = ledger.plan("groups", None, clock.utc() - timedelta(hours=2))
    ledger.asked(old.seq, ExportRequests(transport).request("groups", {}))

    (export,) = run(transport, {"groups": None})

    assert 2 == len(sandbox.exports)
    assert export.seq > old.seq


def test_a_refused_window_is_missed_with_what_the_vendor_says(make_sandbox, transport_for, month, run):
    (missed,) = run(
        transport_for(make_sandbox()),
        {"raw": [month]},
        initial_window=timedelta(days=28),
        parameters={"raw": {"includeCalibrations": "some"}},
    )

    assert isinstance(missed, MissedWindow)
    assert isinstance(missed.error, errors.RequestRefused)
    assert "includeCalibrations" in missed.reason


def test_an_unreachable_vendor_ends_the_run_and_the_next_one_goes_on(make_sandbox, transport_for, month, run, ledger):
    sandbox = make_sandbox()
    transport = transport_for(sandbox)
    sandbox.faults.switch_on("reset-before=1")

    with pytest.raises(errors.Unreachable):
        run(transport, {"raw": [month]})
    sandbox.faults.switch_off()

    assert 4 == len(run(transport, {"raw": [month]}))
    assert 4 == len(sandbox.exports)


def test_the_events_tell_an_exports_life(make_sandbox, transport_for, run):
    events = []

    (export,) = run(transport_for(make_sandbox()), {"groups": None}, on_event=events.append)

    kinds = [type(event) for event in events]
    assert [Planned, Requested, Polled] == kinds[:3]
    assert [Receiving, Received] == kinds[-2:]
    assert export == events[-1].export
    assert (export.bytes, export.bytes) == (events[-2].bytes_received, events[-2].bytes_expected)


@pytest.mark.parametrize(
    "export_id", ["id_1234", "../../etc/passwd", "", "a/b", "a b", ".hidden", "x" * 300, "é", "CON\0", "a-b", "a.b"]
)
def test_file_names_are_safe_whatever_the_id(export_id, tmp_path):
    name = file_stem(ExportRecord(seq=7, kind="raw", window=None, export_id=export_id))

    assert name.startswith("raw-000007-")
    assert name.replace("-", "").replace("_", "").isalnum()
    assert len(name) < 90
    (tmp_path / f"{name}.part").touch()


def test_ids_that_look_alike_have_files_of_their_own():
    ids = ["a/b", "a-b", "a b", "a\\b", "é", "è"]

    assert len(ids) == len({file_stem(ExportRecord(seq=7, kind="raw", window=None, export_id=one)) for one in ids})


def test_a_plan_says_windows_calls_and_minutes(month):
    plan = plan_windows({"groups": None, "raw": [month], "audit": []})

    assert {"groups": 1, "raw": 4, "audit": 0} == {kind: len(windows) for kind, windows in plan.windows.items()}
    assert 5 * (1 + polls_within(30, PollPace())) == plan.calls
    assert 1.0 == plan.minutes


@pytest.mark.parametrize("options", [{"in_flight": 0}, {"initial_window": timedelta(0)}])
def test_invalid_options_are_refused(options, make_sandbox, transport_for, month, run):
    with pytest.raises(errors.InvalidArgument):
        run(transport_for(make_sandbox()), {"raw": [month]}, **options)


@pytest.mark.parametrize("wanted", [{"raw": None}, {"groups": []}, {"coaching": []}])
def test_unknown_kinds_are_refused(wanted, make_sandbox, transport_for, run):
    with pytest.raises(errors.InvalidArgument, match="wanted must hold"):
        run(transport_for(make_sandbox()), wanted)
