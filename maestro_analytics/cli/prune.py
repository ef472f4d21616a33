"""`prune`: remove kept files that nothing needs any more."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from maestro_analytics.cli.output import AsJson, emit_json


def register(app: typer.Typer) -> None:
    """Add `prune`."""
    app.command()(prune)


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
    from maestro_analytics.cli.options import moment
    from maestro_analytics.errors import EmptyStore
    from maestro_analytics.push import copy_into
    from maestro_analytics.settings import Settings
    from maestro_analytics.warehouse import Master
    from maestro_analytics.warehouse.prune import prune as remove
    from maestro_analytics.warehouse.replay import Reread

    def tell(each: Reread) -> None:
        print(f"checked with {each.file.name if each.file else each.export}", file=sys.stderr)

    settings = Settings.from_environment()
    if not settings.data.exists():
        raise EmptyStore(path=settings.database)
    limit = moment(before, option="--before")
    with Master.open(settings.data, command="prune") as master:
        if not master.has_landed():
            raise EmptyStore(path=settings.database)
        pruned = remove(master, limit, dry_run=dry_run, on_reread=tell)
        if not dry_run:
            copy_into(master.connection, settings.data)
            master.publish()
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
