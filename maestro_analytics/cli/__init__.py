"""The command line. Data goes to standard output, everything else to standard error.

Each module of this room adds its commands with `register`. `main` turns errors into messages and exit codes.
Imports stay inside the commands, and only the module of the command that was named is imported, so that each answers
at once.
"""

from __future__ import annotations

import signal
import sys
import traceback
from datetime import UTC, datetime
from importlib import import_module
from types import FrameType
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

import maestro_analytics
from maestro_analytics import errors
from maestro_analytics.cli import exit_codes
from maestro_analytics.cli.commands import Group, Program
from maestro_analytics.cli.exit_codes import exit_code
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


MODULES = {
    "refresh": "refresh",
    "land": "refresh",
    "reconcile": "refresh",
    "status": "maintenance",
    "replay": "maintenance",
    "quarantine": "maintenance",
    "compact": "maintenance",
    "prune": "maintenance",
    "erase": "maintenance",
    "sql": "query",
    "explain": "query",
    "report": "report",
    "lab": "report",
    "push": "push",
    "export": "export",
    "lake": "tools",
    "dbt": "tools",
    "mcp": "tools",
    "doctor": "doctor",
    "sandbox": "sandbox",
}
"""Command -> the module that has it, in the order of the help."""


def application(command: str | None = None) -> typer.Typer:
    """The program with all its commands, or with those of one module where `command` names one."""
    app = Program(cls=Commands, name="maestro-analytics", pretty_exceptions_enable=False, callback=program)
    for module in [MODULES[command]] if command in MODULES else dict.fromkeys(MODULES.values()):
        import_module(f"{__name__}.{module}").register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"maestro-analytics {maestro_analytics.__version__}")
        raise typer.Exit


def program(
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
    JsonOutput.started_at = datetime.now(UTC)
    signal.signal(signal.SIGTERM, _stop)
    use_utf8()
    command = next(iter(sys.argv[1:]), None)
    try:
        sys.exit(application(command)(standalone_mode=False))
    except TyperException as error:
        error.show() if hasattr(error, "show") else print(error, file=sys.stderr)
        _end(error, error.exit_code, said=True)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; what had landed stays", file=sys.stderr)
        _end(KeyboardInterrupt("interrupted; what had landed stays"), exit_codes.INTERRUPTED, said=True)
    except (OSError, errors.MaestroError, MemoryError) as error:
        _end(error, exit_code(error))
    except Exception as error:
        from maestro_analytics.settings import DataFolder

        if (fault := disk_fault(error, folder=DataFolder().data.absolute())) is not None:
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
