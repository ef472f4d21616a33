"""What a person sees of a run: bars on a terminal, stamped lines elsewhere."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from maestro_analytics.exports import ExportRecord, MissedWindow, Window
from maestro_analytics.exports.progress import (
    Halved,
    Noticed,
    Planned,
    Polled,
    Received,
    Receiving,
    Requested,
    progress,
)

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = Window(MOMENT, MOMENT + timedelta(days=7))
RAW = ExportRecord(seq=1, kind="raw", window=WEEK, export_id="id_1", file=Path("x.zip"), bytes=1_234_567)
GROUPS = ExportRecord(seq=2, kind="groups", window=None, export_id="id_2")

EVENTS = [
    Planned({"groups": 0.0, "raw": 14 * 86_400.0}, resumed=1),
    Requested(RAW),
    Requested(GROUPS, again=True),
    Polled(RAW, "in_progress", 2.0),
    Polled(RAW, "in_progress", 31.0),
    Polled(RAW, "in_progress", 45.0),
    Receiving(RAW, 100, 1_234_567),
    Noticed("an unknown status"),
    Received(RAW),
    Received(GROUPS),
    Halved(RAW, 'the raw export ended "errored"'),
    MissedWindow("audit", WEEK, "it [bold]failed[/bold]"),
]


def test_lines_have_a_time_and_tell_only_what_matters():
    stream = io.StringIO()
    with progress(stream, now=lambda: MOMENT) as show:
        for event in EVENTS:
            show(event)
        show(Noticed("landed it"))

    lines = stream.getvalue().splitlines()
    assert all(line.startswith("2026-01-01T00:00:00Z ") for line in lines)
    window = "2026-01-01T00:00:00Z to 2026-01-08T00:00:00Z"
    assert [
        "to get: groups, raw of 14 days, 1 export of an earlier run",
        f"asked for raw export {window} (id_1)",
        "picked up groups export (id_2)",
        f"raw export {window} (id_1) is in_progress after 31 s",
        "an unknown status",
        f"received raw export {window} (id_1): 1.2 MB",
        "nothing in groups export (id_2)",
        'the raw export ended "errored"; asking for halves of it',
        f"missed audit {window}: it [bold]failed[/bold]",
        "landed it",
    ] == [line.partition("Z ")[2] for line in lines]


def test_bars_show_what_is_in_flight_and_leave_what_went_wrong():
    """Each state is drawn when it is asked for here, so that the picture does not depend on the time."""
    stream = io.StringIO()
    seen = []
    with progress(stream, bars=True) as show:
        display = show.__self__._display
        for event in EVENTS:
            show(event)
            display.refresh()
            seen.append({task.description: task.completed for task in display.tasks})
        show(Noticed("landed [it]"))

    assert {"covered": 0} == seen[0]
    assert {"covered", "raw 2026-01-01 00:00", "groups"} == seen[2].keys()
    assert 100 == seen[6]["raw 2026-01-01 00:00"]
    assert {"covered": 7 * 86_400, "groups": 0} == seen[8]
    assert {"covered": 7 * 86_400} == seen[-1]
    shown = stream.getvalue()
    assert "it [bold]failed[/bold]" in shown
    assert "landed [it]" in shown
    assert 1 == shown.count("an unknown status")


def test_a_pipe_and_a_notebook_get_lines():
    with progress(io.StringIO()) as show:
        assert not hasattr(show.__self__, "_display")


def test_a_run_with_nothing_to_do_says_so():
    stream = io.StringIO()
    with progress(stream, now=lambda: MOMENT) as show:
        show(Planned({"raw": 0.0}, resumed=0))

    assert "nothing to ask for" in stream.getvalue()


def test_a_process_without_standard_error_is_shown_nothing(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    with progress() as show:
        show(Noticed("landed"))
