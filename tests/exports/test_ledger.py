"""The ledger of one-off exports: a file of lines that survives a kill in the middle of one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro_analytics.exports import ExportRecord, FileLedger, Window

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(MOMENT, MOMENT + timedelta(days=7))


def fill(path, tmp_path):
    """A ledger with an export in each state."""
    ledger = FileLedger(path)
    for _ in range(7):
        ledger.plan("raw", WINDOW, MOMENT)
    for seq in range(2, 8):
        ledger.asked(seq, f"id_{seq}")
    ledger.received(3, file=tmp_path / "3.zip", sha256="ab", bytes=3, completed_at=MOMENT)
    ledger.empty(4, MOMENT)
    ledger.failed(5, status="errored", error="it ended so")
    ledger.received(6, file=tmp_path / "6.zip", sha256="cd", bytes=6, completed_at=MOMENT)
    ledger.landed(6)
    ledger.empty(7, MOMENT)
    ledger.landed(7)
    return ledger


def test_what_is_neither_landed_nor_failed_is_unfinished_also_after_a_restart(tmp_path):
    planned = ExportRecord(seq=1, kind="raw", window=WINDOW, requested_at=MOMENT)
    expected = [
        planned,
        replace(planned, seq=2, export_id="id_2", status="requested"),
        replace(planned, seq=3, export_id="id_3", status="received", file=tmp_path / "3.zip", sha256="ab", bytes=3),
        replace(planned, seq=4, export_id="id_4", status="empty"),
    ]

    assert expected == fill(tmp_path / "ledger", tmp_path).unfinished()
    assert expected == FileLedger(tmp_path / "ledger").unfinished()


def test_numbers_go_on_after_a_restart(tmp_path):
    fill(tmp_path / "ledger", tmp_path)

    again = FileLedger(tmp_path / "ledger")

    assert 8 == again.plan("groups", None, MOMENT).seq
    assert FileLedger(tmp_path / "ledger").unfinished()[-1].window is None


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a ledger that was filled."""
    folder = tmp_path_factory.mktemp("whole")
    fill(folder / "ledger", folder)
    return (folder / "ledger").read_bytes()


@settings(max_examples=40)
@given(lost=st.integers(0, 400))
def test_a_line_that_a_kill_cut_short_is_as_if_it_had_not_been_written(tmp_path_factory, whole, lost):
    """However many bytes of the end are missing, the lines before them are read, and new ones can follow."""
    folder = tmp_path_factory.mktemp("ledger")
    left = whole[: len(whole) - lost]
    (folder / "ledger").write_bytes(left)
    (folder / "lines").write_bytes(b"\n".join(line for line in left.split(b"\n") if line in whole.split(b"\n")))

    cut_short = FileLedger(folder / "ledger")
    assert FileLedger(folder / "lines").unfinished() == cut_short.unfinished()

    seq = cut_short.plan("audit", WINDOW, MOMENT).seq
    cut_short.asked(seq, "id_new")
    assert "id_new" == FileLedger(folder / "ledger").unfinished()[-1].export_id


@pytest.mark.parametrize(
    "nonsense", [b"", b"\n\n", b"no json\n", b"[]\n", b'{"seq": 3, "status": "received"}\n', b"\xff"]
)
def test_invalid_lines_are_skipped(tmp_path, nonsense):
    (tmp_path / "ledger").write_bytes(nonsense)

    assert 1 == FileLedger(tmp_path / "ledger").plan("raw", WINDOW, MOMENT).seq
