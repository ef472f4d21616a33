"""The exit codes of the command line, and which error has which."""

from __future__ import annotations

from collections.abc import Iterable

from maestro_analytics import errors

BUG = 1
USAGE = 2
SETTINGS = 3
UNREACHABLE = 4
REFUSED_FILE = 5
PARTIAL = 6
BUSY = 75
INTERRUPTED = 130
BROKEN_PIPE = 141

MEANINGS: tuple[tuple[type[BaseException], int], ...] = (
    (errors.SettingsError, SETTINGS),
    (errors.TooManyBadRows, REFUSED_FILE),
    (errors.Unreachable, UNREACHABLE),
    (errors.AnotherRefresh, BUSY),
    (errors.InvalidArgument, USAGE),
    (errors.EmptyStore, SETTINGS),
    (errors.Cancelled, INTERRUPTED),
    (errors.MaestroError, PARTIAL),
    (OSError, SETTINGS),
    (KeyboardInterrupt, INTERRUPTED),
)


def exit_code(error: BaseException) -> int:
    """The exit code of an error; the table is in the README, under "Commands"."""
    return next((code for kind, code in MEANINGS if isinstance(error, kind)), BUG)


MACHINE_FAULTS = {
    "no space left on device": "the disk is full",
    "disk is full": "the disk is full",
    "permission denied": "permission was denied",
    "read-only file system": "the file system is read-only",
    "disk i/o error": "the disk reports an error",
}


def machine_fault(error: BaseException) -> errors.SettingsError | None:
    """The fault of the machine behind an error of DuckDB, polars or SQLite; None where there is none."""
    text = next(iter(str(error).splitlines()), "")
    found = next((says for words, says in MACHINE_FAULTS.items() if words in text.lower()), None)
    if found is None:
        return None
    return errors.SettingsError(f"{found}: {text[:300]}. What had landed stays; run the same command again afterwards.")


def worst(codes: Iterable[int]) -> int:
    """The exit code of several failures: the first of 1, 2, 75, 3, 5, 4, 6 that occurs; 0 if none does."""
    found = set(codes)
    order = (BUG, USAGE, BUSY, SETTINGS, REFUSED_FILE, UNREACHABLE, PARTIAL)
    return next((code for code in order if code in found), 0)
