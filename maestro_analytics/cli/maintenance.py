"""`status`, `replay`, `quarantine`, `compact`, `prune` and `erase`: show and maintain the data folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from maestro_analytics.arguments import moment_of
from maestro_analytics.cli.commands import command_group
from maestro_analytics.cli.exit_codes import PARTIAL, exit_code, worst
from maestro_analytics.cli.output import AsJson, Format, check_destination, emit_json, print_count, write
from maestro_analytics.text import json_value

if TYPE_CHECKING:
    import polars as pl

    from maestro_analytics.errors import EmptyStore, MaestroError
    from maestro_analytics.warehouse.replay import Reread


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(status)
    app.command()(replay)
    group = command_group(
        "quarantine",
        help="Rows that were refused: kept with their raw text, file, line and reason.",
        examples=("quarantine list", "quarantine retry", "quarantine export > refused.csv"),
    )
    group.command("list")(quarantine_list)
    group.command("retry")(quarantine_retry)
    group.command("export")(quarantine_export)
    app.add_typer(group)
    for command in (compact, prune, erase):
        app.command()(command)


def status(
    max_age: Annotated[
        float | None,
        typer.Option("--max-age", metavar="HOURS", min=0, help="Exit with 6 when the data is older or has gaps."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how fresh and complete the published database is: coverage and gaps, rows, quarantine, errors, requests.

    With --max-age it exits with 6 when the last complete refresh, or the end of what is covered, is older than that,
    or covered time has gaps.

    \b
    Examples:
      maestro-analytics status
      maestro-analytics status --max-age 3
      maestro-analytics status --json
    """
    import maestro_analytics as ma
    from maestro_analytics.errors import EmptyStore

    try:
        with ma.open() as qa:
            seen = qa.overview()
    except EmptyStore as empty:
        if max_age is None:
            raise
        # For a monitor, a folder that was never refreshed is as stale as can be.
        _end_as_stale(empty, max_age, as_json=as_json)
    stale = [] if max_age is None else seen.stale(timedelta(hours=max_age), now=datetime.now(UTC))
    code = PARTIAL if stale else 0
    if as_json:
        emit_json(
            {
                "database": str(seen.path),
                "host": seen.host,
                "published_at": seen.published_at.isoformat() if seen.published_at else None,
                "newest_grade": seen.newest_grade.isoformat() if seen.newest_grade else None,
                "tables": seen.rows,
                "coverage": json_value(seen.coverage),
                "gaps": json_value(seen.gaps),
                "quarantine": json_value(seen.quarantine),
                "not_landed": json_value(seen.unlanded),
                "refreshes": json_value(seen.refreshes),
                "requests_last_day": seen.requests_last_day,
                "last_complete_refresh": seen.last_complete.isoformat() if seen.last_complete else None,
                "bytes": seen.bytes,
                "max_age_hours": max_age,
                "stale": stale,
            },
            exit_code=code,
        )
        raise typer.Exit(code)
    for problem in stale:
        print(f"stale: {problem}", file=sys.stderr)
    for line in seen.lines():
        print(line)
    for row in seen.unlanded:
        print(f"not landed: {row['kind']} export {row['seq']} ({row['status']}): {row['error']}")
    for row in seen.refreshes[:1]:
        error = f": {row['error']}" if row["error"] else ""
        print(f"last refresh: {row['started_at']:%Y-%m-%d %H:%M} UTC, {row['status']}{error}")
    print(f"API calls of the last 24 hours: {seen.requests_last_day:,}")
    print(f"size: {seen.bytes / 2**20:,.1f} MiB")
    for table, rows in seen.rows.items():
        print_count(f"  {table}", rows)
    raise typer.Exit(code)


def _end_as_stale(empty: EmptyStore, max_age: float, *, as_json: bool) -> NoReturn:
    if as_json:
        emit_json(
            {"database": str(empty.path), "max_age_hours": max_age, "stale": [str(empty)]},
            exit_code=PARTIAL,
        )
    print(f"stale: {empty}", file=sys.stderr)
    raise typer.Exit(PARTIAL)


def replay(
    as_json: AsJson = False,
    without_missing: Annotated[
        bool,
        typer.Option(
            "--without-missing", help="Go on though kept files are gone or cannot be read; their rows are lost."
        ),
    ] = False,
) -> None:
    """Rebuild everything from the kept files, without the network: the same result to the row, or a better reader's.

    The new database takes the old one's place at the end, in one step: a replay that is stopped, or that meets a file
    which had landed and cannot be read any more, has changed nothing.

    \b
    Examples:
      maestro-analytics replay
      maestro-analytics replay --json
    """
    from maestro_analytics.errors import EmptyStore, MaestroError
    from maestro_analytics.settings import Settings
    from maestro_analytics.warehouse import Master
    from maestro_analytics.warehouse.replay import replay as read_all

    settings = Settings.from_environment()
    with Master.open(settings.data, command="replay") as master:
        if not master.has_landed() and not any(master.exports_folder.iterdir()):
            raise EmptyStore(path=settings.database)
        outcomes: list[Reread] = []
        failure = None
        try:
            for outcome in _told(read_all(master, without_missing=without_missing)):
                outcomes.append(outcome)
        except MaestroError as error:
            if not outcomes:
                raise
            failure = error
        else:
            master.publish()
    _conclude(outcomes, database=str(settings.database), as_json=as_json, failure=failure)


def quarantine_list(
    form: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", help="Write table, csv, json (rows), parquet or xlsx.")
    ] = Format.TABLE,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show so many rows at most.")] = 100,
) -> None:
    """Show the refused rows, the newest first.

    \b
    Examples:
      maestro-analytics quarantine list
      maestro-analytics quarantine list --format json --limit 1000
    """
    check_destination(form, None)
    write(_quarantined().head(limit), form)


def quarantine_export(
    form: Annotated[
        Format, typer.Option("--format", metavar="FORMAT", help="Write table, csv, json (rows), parquet or xlsx.")
    ] = Format.CSV,
) -> None:
    """Write all refused rows to standard output.

    \b
    Example:
      maestro-analytics quarantine export > refused.csv
    """
    check_destination(form, None)
    write(_quarantined(), form)


def quarantine_retry(as_json: AsJson = False) -> None:
    """Read the kept files that have refused rows again, after a fix, and land what is good now.

    \b
    Example:
      maestro-analytics quarantine retry
    """
    from maestro_analytics.errors import EmptyStore
    from maestro_analytics.settings import Settings
    from maestro_analytics.warehouse import Master
    from maestro_analytics.warehouse.replay import retry_quarantine

    settings = Settings.from_environment()
    with Master.open(settings.data, command="quarantine retry") as master:
        if not master.has_landed():
            raise EmptyStore(path=settings.database)
        outcomes = list(_told(retry_quarantine(master)))
        master.publish()
    _conclude(outcomes, database=str(settings.database), as_json=as_json)


def compact() -> None:
    """Give the space that deleted rows left back to the disk. Loses nothing.

    \b
    Example:
      maestro-analytics compact
    """
    from maestro_analytics.errors import EmptyStore
    from maestro_analytics.settings import Settings
    from maestro_analytics.warehouse import Master

    settings = Settings.from_environment()
    if not settings.database.exists():
        raise EmptyStore(path=settings.database)
    with Master.open(settings.data, command="compact") as master:
        before, after = master.compact()
        master.publish()
    print(f"{before / 2**20:,.1f} MiB before, {after / 2**20:,.1f} MiB after")


def _quarantined() -> pl.DataFrame:
    import maestro_analytics as ma

    columns = ("table_name", "file", "member", "line", "column_name", "reason", "raw", "export_id", "quarantined_at")
    with ma.open() as qa:
        refused = qa.sql("from state.quarantine").select(*columns, "file_refused")
    return refused.sort("quarantined_at", "file", "line", descending=[True, False, False])


def _told(outcomes: Iterable[Reread]) -> Iterable[Reread]:
    for outcome in outcomes:
        name = outcome.file.name if outcome.file else str(outcome.export)
        refused = [file.error for file in outcome.landed.refused] if outcome.landed else []
        errors = [outcome.error] if outcome.error else refused
        rows = sum(outcome.landed.rows.values()) if outcome.landed else 0
        print(f"{name}: {rows:,} rows" + "".join(f"; {type(e).__name__}: {e}" for e in errors), file=sys.stderr)
        yield outcome


def _conclude(outcomes: list[Reread], *, database: str, as_json: bool, failure: MaestroError | None = None) -> NoReturn:
    """Say what came of all files, and leave with 5 or 6 where one was refused; after a `failure` nothing changed."""
    tables: dict[str, int] = {}
    quarantined = 0
    errors = [outcome.error for outcome in outcomes if outcome.error]
    for outcome in outcomes:
        if outcome.landed is None:
            continue
        quarantined += outcome.landed.quarantined
        errors += [file.error for file in outcome.landed.refused if file.error not in errors]
        for table, rows in outcome.landed.rows.items():
            tables[table] = tables.get(table, 0) + rows
    if failure:
        print(f"error: {failure}", file=sys.stderr)
        errors.append(failure)
        tables, quarantined = {}, 0
    code = worst(exit_code(error) for error in errors)
    report = {
        "status": "failed" if failure else "partial" if errors else "complete",
        "files": len(outcomes),
        "tables": tables,
        "quarantined": quarantined,
        "database": database,
        "errors": [error.as_json() for error in errors],
    }
    if as_json:
        emit_json(report, exit_code=code)
    else:
        for table, rows in tables.items():
            print_count(table, rows)
        print_count("quarantined", quarantined)
        print(f"{report['status']}: {database}, from {len(outcomes)} kept files")
    raise typer.Exit(code)


def prune(
    before: Annotated[
        str, typer.Option("--before", metavar="DATE", help="Remove files of before this date or moment, UTC.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be removed, and remove nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove kept files received before a moment from which no row of the database comes any more.

    Later exports have brought all that they held. A replay gives the same tables afterwards: this is checked with one
    before anything is removed, so that it takes as long as a replay.

    \b
    Examples:
      maestro-analytics prune --before 2026-01-01 --dry-run
      maestro-analytics prune --before 2026-01-01
    """
    from maestro_analytics.errors import EmptyStore
    from maestro_analytics.push import publish
    from maestro_analytics.settings import Settings
    from maestro_analytics.warehouse import Master
    from maestro_analytics.warehouse.prune import prune as remove

    def tell(each: Reread) -> None:
        print(f"checked with {each.file.name if each.file else each.export}", file=sys.stderr)

    settings = Settings.from_environment()
    if not settings.data.exists():
        raise EmptyStore(path=settings.database)
    limit = moment_of(before, name="--before")
    with Master.open(settings.data, command="prune") as master:
        if not master.has_landed():
            raise EmptyStore(path=settings.database)
        pruned = remove(master, limit, dry_run=dry_run, on_reread=tell)
        if not dry_run:
            publish(master)
    files = sum(pruned.exports.values())
    if as_json:
        emit_json(
            {
                "status": "planned" if dry_run else "complete",
                "before": limit.isoformat(),
                "files": files,
                "bytes": pruned.bytes,
                "kinds": pruned.exports,
                "kept_files": pruned.kept_files,
                "kept_bytes": pruned.kept_bytes,
                "needed_for_replay": pruned.needed_for_replay,
                "database": str(settings.database),
            }
        )
        return
    for kind, count in pruned.exports.items():
        print(f"{kind:<12}{count:>10,} files")
    what = "would be removed" if dry_run else "removed"
    print(f"{files:,} kept files, {pruned.bytes / 2**20:,.1f} MiB, {what}")
    print(f"{pruned.kept_files:,} kept files, {pruned.kept_bytes / 2**20:,.1f} MiB, stay")
    if pruned.needed_for_replay:
        print(
            f"{pruned.needed_for_replay:,} of them hold nothing that the database needs, but a replay without them "
            "would give other tables; if they are many, run `maestro-analytics replay` first"
        )


def erase(
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="NAME", help="Erase this person: a name, e-mail address or id.")
    ] = None,
    ticket: Annotated[
        str | None, typer.Option("--ticket", metavar="SOURCE:ID", help="Erase this ticket, such as zendesk:5310985.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be erased, and erase nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person or a ticket from the tables, history, quarantine, kept files, push ledger and published file.

    A replay brings none of it back; a refresh does while the vendor still has it. Rows of others go too when their text
    names the person's full name or e-mail address, or the ticket's id of five characters or more. An agent id, a first
    name or a nickname alone in the text of others stays: it cannot be told from other numbers and words.

    \b
    Examples:
      maestro-analytics erase --agent harrison@example.com --dry-run
      maestro-analytics erase --ticket zendesk:5310985
    """
    from maestro_analytics.errors import EmptyStore, InvalidArgument
    from maestro_analytics.push import ledger as push_ledger
    from maestro_analytics.push import publish
    from maestro_analytics.settings import Settings
    from maestro_analytics.warehouse import Master
    from maestro_analytics.warehouse import erase as erasing

    if (agent is None) == (ticket is None):
        raise InvalidArgument("give either --agent or --ticket")
    settings = Settings.from_environment()
    if not settings.data.exists():
        raise EmptyStore(path=settings.database)
    with Master.open(settings.data, command="erase") as master:
        subject = erasing.ticket(master.connection, ticket) if ticket else erasing.agent(master.connection, str(agent))
        near = erasing.nearest_people(master.connection, agent) if agent else []
        erased = erasing.erase(master, subject, dry_run=dry_run)
        agent_ids, tickets = ((), subject.ids) if subject.is_ticket else (subject.ids, ())
        pushes = push_ledger.erase(settings.data, agent_ids=agent_ids, tickets=tickets, dry_run=dry_run)
        if not dry_run and settings.database.exists():
            publish(master)
    report = {
        "status": "planned" if dry_run else "complete",
        "tables": erased.tables,
        "files": erased.files,
        "file_rows": erased.file_rows,
        "removed_files": erased.removed_files,
        "pushes": pushes,
        "database": str(settings.database),
    }
    if agent and not (erased.tables or erased.file_rows):
        nearest = f" Nearest: {', '.join(map(repr, near))}." if near else ""
        print(f"nothing is about {agent!r} or names them.{nearest}", file=sys.stderr)
    if as_json:
        emit_json(report)
        return
    for table, rows in erased.tables.items():
        print_count(table, rows)
    print_count("records in kept files", erased.file_rows, f"  in {erased.files} files")
    print_count("unreadable kept files", erased.removed_files)
    print_count("push ledger", pushes)
    print("nothing was erased (--dry-run)" if dry_run else f"erased; published {settings.database}")
