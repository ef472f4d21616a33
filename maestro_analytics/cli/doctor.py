"""`doctor`: check token, host, clock, disk, locks and versions."""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from maestro_analytics.cli.exit_codes import exit_code, worst
from maestro_analytics.cli.output import AsJson, emit_json
from maestro_analytics.errors import MaestroError

if TYPE_CHECKING:
    from maestro_analytics.settings import Settings

ANSWER_SECONDS = 12.0
"""How long `doctor` waits for the API."""
LEAST_FREE_GIB = 2.0
LARGEST_CLOCK_ERROR_SECONDS = 30.0
TOOLS = ("maestro-analytics", "duckdb", "polars", "pandera", "pyarrow", "requests")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: what was looked at.
        state: `ok`, `warning` or `problem`.
        says: what was found, and what to do.
        exit_code: what a problem means for the exit code.
    """

    what: str
    state: str
    says: str
    exit_code: int = 0


def register(app: typer.Typer) -> None:
    """Add `doctor`."""
    app.command()(doctor)


def doctor(
    as_json: AsJson = False,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the vendor's API alone.")] = False,
) -> None:
    """Look at the token, the host, the clock, the disk, the locks and the versions. Makes one API call.

    \b
    Examples:
      maestro-analytics doctor
      maestro-analytics doctor --offline --json
    """
    from maestro_analytics.settings import Settings

    settings = Settings.from_environment()
    account = iter([Finding("account", "ok", "not asked (--offline)")]) if offline else _account(settings)
    findings = []
    parts = (_versions(), _token_file(settings), _proxies(), _folders(settings), _database(settings), account)
    for finding in chain.from_iterable(parts):
        findings.append(finding)
        if not as_json:
            print(f"{finding.state:<8}  {finding.what:<10}  {finding.says}", flush=True)
    code = worst([finding.exit_code for finding in findings])
    if as_json:
        emit_json({"findings": [asdict(finding) for finding in findings]}, exit_code=code)
    raise typer.Exit(code)


def _versions() -> Iterator[Finding]:
    import platform

    yield Finding(
        "versions",
        "ok",
        f"python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in TOOLS),
    )


def _token_file(settings: Settings) -> Iterator[Finding]:
    path = settings.api_token_file
    if path is not None and os.name == "posix" and path.stat().st_mode & 0o077:
        yield Finding("token file", "warning", f"others can read {path}: run `chmod 600 {path}`")


def _proxies() -> Iterator[Finding]:
    from urllib.request import getproxies

    proxies = {name: place for name, place in getproxies().items() if name in ("http", "https", "all")}
    if proxies:
        shown = ", ".join(f"{name}: {urlsplit(place).hostname or 'unknown host'}" for name, place in proxies.items())
        yield Finding("proxy", "warning", f"requests go through a proxy ({shown}), as the environment says")


def _folders(settings: Settings) -> Iterator[Finding]:
    for what, folder in (("data", settings.data.absolute()), ("cache", settings.cache.absolute())):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        try:
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            yield Finding(what, "problem", f"{folder} cannot be written: {error.strerror}", exit_code=3)
            continue
        free = shutil.disk_usage(existing).free / 2**30
        state = "ok" if free >= LEAST_FREE_GIB else "warning"
        yield Finding(what, state, f"{folder} can be written; {free:.1f} GiB free")


def _database(settings: Settings) -> Iterator[Finding]:
    from maestro_analytics.warehouse import holder_of
    from maestro_analytics.warehouse import open as open_published

    try:
        holder = holder_of(settings.data)
    except OSError as error:
        yield Finding("lock", "problem", f"{error.filename or settings.data}: {error.strerror or error}", exit_code=3)
    else:
        yield Finding("lock", "ok", f"held by {holder}: a refresh is running" if holder else "free")
    if not settings.database.exists():
        yield Finding("database", "warning", f"{settings.database} does not exist yet: run `maestro-analytics refresh`")
        return
    try:
        with open_published(settings.database) as qa:
            last = qa.sql("select max(finished_at) as at from state.refreshes")["at"].item()
            newest = qa.sql("select max(date_graded) as at from total_scores")["at"].item()
    except MaestroError as error:
        yield Finding("database", "problem", str(error), exit_code=exit_code(error))
        return
    size = settings.database.stat().st_size / 2**20
    when = f"last refresh {last:%Y-%m-%d %H:%M} UTC" if last else "no refresh has ended"
    if newest is not None and newest > datetime.now(UTC):
        yield Finding("grades", "warning", f"the newest date_graded, {newest:%Y-%m-%d %H:%M} UTC, is in the future")
    yield Finding("database", "ok", f"{settings.database}, {size:.0f} MiB, {when}")


def _account(settings: Settings) -> Iterator[Finding]:
    """Call the API in a thread that ends with the process: a host that does not answer is not waited for."""
    answer: queue.Queue[float | MaestroError | None] = queue.Queue()
    threading.Thread(target=_ping, args=(settings, answer), daemon=True).start()
    try:
        off = answer.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        yield Finding(
            "account", "problem", f"{settings.host} did not answer within {ANSWER_SECONDS:.0f} s", exit_code=4
        )
        return
    if isinstance(off, MaestroError):
        yield Finding("account", "problem", f"{type(off).__name__}: {off}", exit_code=exit_code(off))
        return
    yield Finding("account", "ok", f"{settings.host} takes the token")
    if off is None:
        yield Finding("clock", "warning", f"{settings.host} does not say what time it is")
        return
    says = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {settings.host}"
    if abs(off) > LARGEST_CLOCK_ERROR_SECONDS:
        yield Finding("clock", "warning", f"{says}: set this machine's clock, or windows end at the wrong moment")
    else:
        yield Finding("clock", "ok", says)


def _ping(settings: Settings, answer: queue.Queue[float | MaestroError | None]) -> None:
    from maestro_analytics.api import Transport, endpoints

    try:
        with Transport(settings) as transport:
            transport.send(endpoints.GET_TODOS, {"count": 1})
            answer.put(transport.clock_ahead_seconds)
    except MaestroError as error:
        answer.put(error)
