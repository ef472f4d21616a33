"""Kept files and typed records as polars frames."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import create_model

from maestro_analytics.api.models import Flag, Moment, Number, Record, Text, Texts, Ticket
from maestro_analytics.exports.adhoc import KeptExports
from maestro_analytics.tables.columns import Role
from maestro_analytics.tables.dedupe import read_rows
from maestro_analytics.tables.frames import live_rows
from maestro_analytics.tables.reader import read_export
from maestro_analytics.tables.schemas import GRADE_TABLES, KINDS, TABLES_BY_NAME, UTC_MOMENT

log = logging.getLogger("maestro_analytics.client")


def frames_of(kept: KeptExports) -> dict[str, pl.DataFrame]:
    """The rows of the kept files. Of a grade (a ticket, an activity) that came twice, the newer export's are taken."""
    frames = {table.name: table.empty() for table in KINDS[kept.kind]}
    grade_tables = [table.name for table in GRADE_TABLES]
    for file in kept.files:
        with tempfile.TemporaryDirectory() as staging:
            fresh, named = _read(file, kept.kind, Path(staging))
        for table in KINDS[kept.kind]:
            if table.name not in fresh:
                continue
            gone = named if table.name in grade_tables else fresh[table.name]
            keys = list(table.replaced_by)
            old = frames[table.name]
            if keys:
                old = old.join(gone.select(keys).unique(), on=keys, how="anti", nulls_equal=True)
            frames[table.name] = pl.concat([old, fresh[table.name]], how="diagonal")
    return frames


def _read(file: Path, kind: str, staging: Path) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """A kept file's tables, and the keys of all grades that it names, also those that it only says are deleted."""
    with read_export(file, kind=kind, staging=staging / "rows") as delivery:
        for refused in delivery.refused:
            raise refused.error
        if delivery.refusals:
            log.warning("%d rows of %s were left out; the first: %s", len(delivery.refusals), file.name,
                        delivery.refusals[0].reason)  # fmt: skip
        fresh = {}
        named = [pl.Series("grade_key", [], dtype=pl.String)]
        for name, staged in delivery.tables.items():
            fresh[name] = live_rows(staged)
            keyed = [fresh[name], *(read_rows(path) for path in staged.flagged_files)]
            named += [frame["grade_key"] for frame in keyed if "grade_key" in frame.columns]
    return fresh, pl.concat(named).unique().to_frame()


def frame_of_tickets(tickets: list[Ticket]) -> pl.DataFrame:
    """One row per ticket, columns as `Ticket`; attributes as JSON."""
    types: dict[str, Any] = {"agents": pl.List(pl.String), "csat_score": pl.Float64} | dict.fromkeys(
        ("first_seen", "last_seen", "created_at", "updated_at"), UTC_MOMENT
    )
    names = list(Ticket.model_fields)
    rows = [[_cell(getattr(ticket, name)) for name in names] for ticket in tickets]
    return pl.DataFrame(rows, schema={name: types.get(name, pl.String) for name in names}, orient="row")


@cache
def record_type(name: str) -> type[Record]:
    """The model of one record of a coaching list: the columns of the table `name`."""
    types: dict[Role, Any] = {Role.MOMENT: Moment, Role.FLAG: Flag, Role.NUMBER: Number, Role.ID_LIST: Texts}
    columns = TABLES_BY_NAME[name].file_columns
    fields: dict[str, Any] = {
        column: (types.get(role, Text), () if role is Role.ID_LIST else None) for column, role in columns.items()
    }
    return create_model(name, __base__=Record, **fields)


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False) if value else None
    return list(value) if isinstance(value, tuple) else value
