"""Every kind of data that a refresh fetches, declared once: request, parameters and tables.

To add an export kind, declare it here and its tables in `tables/schemas.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ExportKind:
    """A kind of export that the vendor makes on request.

    Attributes:
        name: as in `refresh --only`, in the ledger and in the names of kept files.
        request_path: of the endpoint that asks for it, below the base URL.
        reference: heading in the vendor's reference.
        windowed: whether it covers a window of time; otherwise it is a snapshot of now.
        tables: names of the tables that it delivers.
        parameters: of the request, besides the dates: everything is included, so that one export serves all purposes.
    """

    name: str
    request_path: str
    reference: str
    windowed: bool
    tables: tuple[str, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


RAW = ExportKind(
    "raw",
    request_path="/request-raw-export",
    reference="Request A “Raw” Export",
    windowed=True,
    tables=("total_scores", "section_scores", "individual_answers", "annotations", "csat"),
    parameters={"includeCalibrations": "all", "includeGraderQA": True, "includeDeleted": True},
)
GROUPS = ExportKind(
    "groups",
    request_path="/request-groups-export",
    reference="Request an “agent groups” export",
    windowed=False,
    tables=("agent_groups",),
    parameters={"includeUnavailable": True},
)
AUDIT = ExportKind(
    "audit",
    request_path="/request-audit-log-export",
    reference="Request an “audit logs” export",
    windowed=True,
    tables=("audit_logs",),
)

EXPORT_KINDS = {kind.name: kind for kind in list(globals().values()) if isinstance(kind, ExportKind)}
WINDOWED = tuple(kind.name for kind in EXPORT_KINDS.values() if kind.windowed)

COACHING = "coaching"
"""The coaching lists, which are read page by page and not exported."""
COACHING_LISTS = ("coaching_points", "coaching_sessions", "todos")

TABLES_OF = {kind.name: kind.tables for kind in EXPORT_KINDS.values()} | {COACHING: COACHING_LISTS}
"""What `refresh --only` can name -> names of the tables that it fills."""
