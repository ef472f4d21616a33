"""`erase`: remove all data of a person or a ticket."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from maestro_analytics.cli.output import AsJson, emit_json


def register(app: typer.Typer) -> None:
    """Add `erase`."""
    app.command()(erase)


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
    from maestro_analytics.push import copy_into
    from maestro_analytics.push import ledger as push_ledger
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
            copy_into(master.connection, settings.data)
            master.publish()
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
        print(f"{table:<28}{rows:>12,}")
    print(f"{'records in kept files':<28}{erased.file_rows:>12,}  in {erased.files} files")
    print(f"{'unreadable kept files':<28}{erased.removed_files:>12,}")
    print(f"{'push ledger':<28}{pushes:>12,}")
    print("nothing was erased (--dry-run)" if dry_run else f"erased; published {settings.database}")
