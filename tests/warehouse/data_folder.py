"""A data folder, and exports made of plain rows: what a test says is all that differs from an ordinary grade."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from maestro_analytics.exports import ExportRecord, Window
from maestro_analytics.tables.reader import read_export
from maestro_analytics.tables.schemas import TABLES_BY_NAME
from maestro_analytics.warehouse import Landed, Master
from maestro_analytics.warehouse.results import frame

Row = Mapping[str, str]

START = datetime(2026, 1, 1, tzinfo=UTC)

GRADE = {
    "gradable_id": "5310985",
    "agent_id": "0072999",
    "agent_name": "Harrison Charles",
    "agent_email": "harrison@example.com",
    "rubric_id": "AatxWWtXWKcfiN34E",
    "rubric_name": "Support",
    "date_graded": '="2026-01-02 10:00:00.500"',
    "grader": "jo@example.com",
    "grade_type": "grading",
    "ticket_created_at": '="2026-01-01 09:00:00"',
    "date_reported_as": '="2026-01-02 10:00:00"',
    "source": "zendesk",
}
KEY = "zendesk|5310985|AatxWWtXWKcfiN34E|0072999|grading"

TOTAL = GRADE | {"rubric_score": "70", "max_rubric_score": "100", "comment": "Fine", "total_grading_time": "300"}
SECTION = GRADE | {
    "section_id": "sec1",
    "section_name": "Greeting",
    "section_score": "7",
    "max_section_score": "10",
    "section_weight": "N/A",
}
ANSWER = GRADE | {
    "section_id": "sec1",
    "section_name": "Greeting",
    "question_id": "q1",
    "question": "Did they greet?",
    "answer_label": "Yes",
    "feedback_answer_label": "",
    "question_score": "3.5",
    "max_question_score": "5",
    "comment": "",
}
NOTE = GRADE | {
    "question_id": "q1",
    "question": "Did they greet?",
    "section_id": "sec1",
    "section_name": "Greeting",
    "annotation_id": "note1",
    "selected_text": "Hello",
    "comment": "Good",
}
SURVEY = {
    "gradable_id": "5310985",
    "csat_score": "4",
    "csat_comment": "ok",
    "ticket_created_at": '="2026-01-01 09:00:00"',
    "source": "zendesk",
}


def csv_text(table_name: str, rows: Sequence[Row], *, without: Sequence[str] = ()) -> str:
    """A file of a table: its columns, those that the rows have besides, and the rows; a column a row lacks is empty."""
    columns = [name for name in TABLES_BY_NAME[table_name].file_columns if name not in without]
    columns += [name for row in rows for name in row if name not in columns and name not in without]
    columns = list(dict.fromkeys(columns))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


def raw_zip(**tables: Sequence[Row]) -> bytes:
    """A raw export: all five files, those that are not named without rows."""
    names = ("total_scores", "section_scores", "individual_answers", "annotations", "csat")
    return zipped({f"{name}.csv": csv_text(name, tables.get(name, [])) for name in names})


def whole_grade(**changes: str) -> dict[str, list[Row]]:
    """A grade with one row in each file."""
    return {
        "total_scores": [TOTAL | changes],
        "section_scores": [SECTION | changes],
        "individual_answers": [ANSWER | changes],
        "annotations": [NOTE | changes],
    }


class DataFolder:
    """A data folder with its master, and short ways to have exports in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.master = Master.open(folder, host="app.example.com", command="tests")

    def receive(
        self, content: bytes, *, kind: str = "raw", week: int = 0, export_id: str | None = None, seq: int | None = None
    ) -> ExportRecord:
        """A kept file in the ledger; weeks count from `START`."""
        at = START + timedelta(days=7 * week)
        window = None if kind == "groups" else Window(at, at + timedelta(days=7))
        ledger = self.master.ledger
        record = ledger.plan(kind, window, at)
        if seq is not None:
            self.master.connection.execute("update state.exports set seq = ? where seq = ?", [seq, record.seq])
        number = record.seq if seq is None else seq
        ledger.asked(number, export_id or f"id_{number}")
        suffix = ".zip" if content.startswith(b"PK") else ".csv"
        file = self.folder / "exports" / f"{kind}-{number:06d}-id_{number}{suffix}"
        file.write_bytes(content)
        ledger.received(number, file=file, sha256="0", bytes=len(content), completed_at=at + timedelta(days=8))
        (found,) = ledger.records("seq = ?", [number])
        return found

    def land_record(self, export: ExportRecord) -> Landed:
        assert export.file is not None
        staging = self.master.staging / str(export.seq)
        with read_export(export.file, kind=export.kind, staging=staging) as delivery:
            return self.master.land(export, delivery)

    def land(self, content: bytes, **how: object) -> Landed:
        return self.land_record(self.receive(content, **how))

    def land_rows(self, *, week: int = 0, seq: int | None = None, **tables: Sequence[Row]) -> Landed:
        return self.land(raw_zip(**tables), week=week, seq=seq)

    def table(self, query: str) -> pl.DataFrame:
        return frame(self.master.connection, query)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.table(query).rows()

    def column(self, query: str) -> list[object]:
        return self.table(query).to_series().to_list()


OF_PUBLISHING = ("published_at", "definitions")
"""Columns of state.account that only publishing writes."""


def everything(data: DataFolder, *, leaving_out: Sequence[str] = ()) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables without `OF_PUBLISHING`, in an order of their own, for comparing databases as wholes."""
    names = [
        f"{schema}.{name}"
        for schema, name in data.rows(
            "select schema_name, table_name from duckdb_tables() where schema_name in ('main', 'state') "
            "and not internal and database_name = current_database() order by all"
        )
    ]
    unwanted = [*leaving_out, *OF_PUBLISHING]
    return {
        name: sorted(frame(data.master.connection, f"from {name}").drop(unwanted, strict=False).rows(), key=repr)
        for name in names
    }
