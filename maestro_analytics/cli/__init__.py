"""The command line. Data goes to standard output, everything else to standard error.

Each module of this room adds its commands with `register`; what a failure means is decided here alone.
Imports stay inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from types import FrameType

import typer

from maestro_analytics import errors
from maestro_analytics.cli import doctor, export, lake, maintenance, push, query, refresh, report, sandbox

EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_SETTINGS = 3
EXIT_UNREACHABLE = 4
EXIT_REFUSED_FILE = 5
EXIT_PARTIAL = 6
EXIT_BUSY = 75
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="maestro-analytics",
    help="MaestroQA grades and coaching as DuckDB tables, answers and metrics.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for room in (refresh, maintenance, query, report, push, export, lake, doctor, sandbox):
    room.register(app)


def exit_code(error: BaseException) -> int:
    """The exit code that an error stands for; the table is in the README, under "Commands"."""
    meanings: list[tuple[type[BaseException], int]] = [
        (errors.SettingsError, EXIT_SETTINGS),
        (errors.TooManyBadRows, EXIT_REFUSED_FILE),
        (errors.Unreachable, EXIT_UNREACHABLE),
        (errors.AnotherRefresh, EXIT_BUSY),
        (errors.InvalidArgument, EXIT_USAGE),
        (errors.EmptyStore, EXIT_SETTINGS),
        (errors.MaestroError, EXIT_PARTIAL),
        (KeyboardInterrupt, EXIT_INTERRUPTED),
    ]
    return next((code for kind, code in meanings if isinstance(error, kind)), EXIT_BUG)


def worst(codes: Iterable[int]) -> int:
    """Where several hold, the first of 1, 2, 75, 3, 5, 4, 6; 0 where none does."""
    found = set(codes)
    order = (
        EXIT_BUG,
        EXIT_USAGE,
        EXIT_BUSY,
        EXIT_SETTINGS,
        EXIT_REFUSED_FILE,
        EXIT_UNREACHABLE,
        EXIT_PARTIAL,
    )
    return next((code for code in order if code in found), 0)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point of `maestro-analytics`."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app(standalone_mode=True)
    except KeyboardInterrupt:
        print("interrupted; what had landed stays", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        # A folder that cannot be written, a full disk: the environment, and no bug.
        place = f"{error.filename}: " if error.filename else ""
        print(f"{type(error).__name__}: {place}{error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    except errors.MaestroError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
