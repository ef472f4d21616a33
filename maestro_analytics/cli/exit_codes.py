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


def worst(codes: Iterable[int]) -> int:
    """The exit code of several failures: the first of 1, 2, 75, 3, 5, 4, 6 that occurs; 0 if none does."""
    found = set(codes)
    order = (BUG, USAGE, BUSY, SETTINGS, REFUSED_FILE, UNREACHABLE, PARTIAL)
    return next((code for code in order if code in found), 0)
