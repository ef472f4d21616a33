"""Which exports may land together, so that the tables come out as if they had landed one by one.

Exports of one kind that follow each other land in one transaction: rows of the same grade, ticket or activity then land
in turns, in the order of the exports (`staged.turn_of`). What does not come in turns is looked at here, before anything
lands; an export that fails a condition lands by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from maestro_analytics.exports import ExportRecord
from maestro_analytics.kinds import EXPORT_KINDS
from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.warehouse.connection import scalar
from maestro_analytics.warehouse.landing.grades import unreplaced_tables
from maestro_analytics.warehouse.landing.sources import lacks_sources
from maestro_analytics.warehouse.ledger import IS_LATER


class NotTogether(Exception):
    """These exports have to land one by one. Nothing has landed."""


def is_plain(export: ExportRecord, delivery: Delivery | None) -> bool:
    """Whether an export may land together with others, as far as it can be told from what was read: nothing refused."""
    if EXPORT_KINDS[export.kind].windowed is False or export.requested_at is None:
        return False
    return delivery is None or not (
        delivery.refused
        or any(staged.refusals for staged in delivery.tables.values())
        or (export.landed_from is not None and delivery.is_single_table)
    )


def shape(delivery: Delivery) -> tuple[object, ...]:
    """What is the same in all exports that land together: their tables and the columns of each."""
    return tuple(
        (name, tuple(staged.columns), tuple(staged.unknown.items()), staged.has_deleted_flag)
        for name, staged in sorted(delivery.tables.items())
    )


def check_order(connection: duckdb.DuckDBPyConnection) -> None:
    """Check what exports of any kind share, after `list_sources`.

    Raises:
        NotTogether: one of them was requested before an export that has landed or lands before it, or they cover the
            window of an export of which rows were refused.
    """
    late = f"""
        select count(*)
        from deliveries
        join state.exports as this on this.seq = deliveries.seq
        join state.exports as other on other.kind = this.kind
        left join deliveries as before on before.seq = other.seq
        where {IS_LATER} and (other.landing is not null or before.place < deliveries.place)
    """
    if scalar(connection, late):
        raise NotTogether("an export that was requested later has landed before")
    covers_refused = """
        select count(*)
        from state.quarantine as refused
        join state.exports as earlier on earlier.seq = refused.export_seq
        join state.exports as this on this.kind = earlier.kind
            and this.window_start <= earlier.window_start and this.window_end >= earlier.window_end
        join deliveries on deliveries.seq = this.seq
    """
    if scalar(connection, covers_refused):
        raise NotTogether("rows of their windows were refused before")


def check_grades(connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery]) -> None:
    """Check what raw exports share, after `name_grades`.

    Raises:
        NotTogether: they bring grades of which rows were refused, or lack a file that has rows to replace, or a grade
            or survey comes with its source and without.
    """
    if scalar(
        connection,
        "select count(*) from state.quarantine where grade_key in (select grade_key from delivered_grades)",
    ):
        raise NotTogether("rows of their grades were refused before")
    if unreplaced_tables(connection, deliveries):
        raise NotTogether("a file is missing that has rows to replace")
    if lacks_sources(connection, deliveries):
        raise NotTogether("the same grade or survey comes with its source and without")
