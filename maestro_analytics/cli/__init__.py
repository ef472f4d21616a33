"""The command line. Data goes to standard output, everything else to standard error.

Each module of this room adds its commands with `register`. `main` turns errors into messages and exit codes.
Imports stay inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import maestro_analytics
from maestro_analytics import errors
from maestro_analytics.cli import (
    dbt,
    doctor,
    erase,
    exit_codes,
    explain,
    export,
    lake,
    land,
    maintenance,
    mcp,
    prune,
    push,
    query,
    reconcile,
    refresh,
    report,
    sandbox,
)
from maestro_analytics.cli.exit_codes import exit_code
from maestro_analytics.cli.groups import Group
from maestro_analytics.cli.output import JsonOutput, discard, emit_json, use_utf8
from maestro_analytics.files import disk_fault
from maestro_analytics.text import harmless


class Commands(Group):
    """All commands. A reader that closes the pipe early, such as `head`, ends them without an error message."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result
        except BrokenPipeError:
            discard(sys.stdout)
            raise typer.Exit(exit_codes.BROKEN_PIPE) from None


app = typer.Typer(
    cls=Commands,
    name="maestro-analytics",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
ROOMS = (
    refresh, land, reconcile, maintenance, prune, erase, query, explain, report, mcp, push, export, lake, dbt, doctor,
    sandbox,
)  # fmt: skip
for room in ROOMS:
    room.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"maestro-analytics {maestro_analytics.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """MaestroQA grades and coaching as DuckDB tables, statistics and metrics.

    \b
    Examples:
      maestro-analytics refresh --sandbox   a made-up centre, without an account
      maestro-analytics refresh             bring the database up to date
      maestro-analytics report agents       what the grades say about agents
      maestro-analytics sql "select * from grades limit 10"
    """


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point of `maestro-analytics`."""
    signal.signal(signal.SIGTERM, _stop)
    use_utf8()
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:
        error.show() if hasattr(error, "show") else print(error, file=sys.stderr)
        _end(error, error.exit_code, said=True)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; what had landed stays", file=sys.stderr)
        _end(KeyboardInterrupt("interrupted; what had landed stays"), exit_codes.INTERRUPTED, said=True)
    except (OSError, errors.MaestroError, MemoryError) as error:
        _end(error, exit_code(error))
    except Exception as error:
        if (fault := disk_fault(error)) is not None:
            _end(fault, exit_code(fault))
        traceback.print_exc()
        _end(error, exit_codes.BUG, said=True)


def _end(error: BaseException, code: int, *, said: bool = False) -> None:
    """Report an error to people and, with `--json`, to programs; then exit."""
    message = str(error)
    if isinstance(error, OSError):
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or message
    if not said:
        print(harmless(f"{type(error).__name__}: {message}"), file=sys.stderr)
    if "--json" in sys.argv and not JsonOutput.is_printed:
        told = [{"error": type(error).__name__, "message": message}]
        nothing_done = JsonOutput.of_nothing_done.get(next(iter(sys.argv[1:]), ""), dict)
        emit_json({"status": "failed", **nothing_done(), "errors": told, "warnings": []}, exit_code=code)
    sys.exit(code)
