"""Export files, written as a stream: grades one chunk at a time, however many there are.

Values become text as in real exports: guarded dates, words for null, needless quotes, byte order marks, CRLF.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import cast

from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.rows import (
    COLUMNS,
    FLAG,
    GRADE_FILES,
    IDS,
    LABEL,
    MOMENT,
    NUMBER,
    RAW_FILES,
    SAME_IN_A_GRADE,
    SCORE_OR_WORD,
    SECONDS,
    TEXT,
    GradeRows,
    Row,
    csat_rows,
)
from maestro_analytics.sandbox.simulation.chance import FILE, draws
from maestro_analytics.sandbox.simulation.grades import Grade, Ticket
from maestro_analytics.sandbox.simulation.timeline import Centre

_NULLS = ("Unknown", "", "N/A")
"""Every word that was ever seen for null. By default a date has the first alone, a score the others."""
_CHUNK = 100
_ENCRYPTED, _DEFLATE64 = 1, 9
"""A flag of a zip's member, and a method of compression."""
_LEFT_OUT = {
    "total_scores": "total_grading_time",
    "section_scores": "section_weight",
    "individual_answers": "feedback_answer_label",
    "annotations": "selected_text",
    "csat": "csat_comment",
    "agent_groups": "agent_name",
    "audit_logs": "ip_address",
}
_IDENTITY_LEFT_OUT = {"individual_answers": "question_id", "agent_groups": "group_id", "audit_logs": "activity_id"}
_RENAMED = {
    "gradable_id": "conversation",
    "agent_id": "teammate",
    "rubric_id": "scorecard",
    "grade_type": "kind",
    "rubric_score": "points",
}
_LINES_BEFORE = ("Your export, made by MaestroQA", "sep=,", "# all times are UTC")
_ODD_MEMBER = "individual_answers"
_FIRST_IDENTITY = {"agent_groups": "group_id", "audit_logs": "activity_id"}


@dataclass(frozen=True)
class Style:
    """How a whole file is written."""

    byte_order_mark: bool
    line_end: str
    blank_first_line: bool

    @classmethod
    def drawn(cls, rng: Random) -> Style:
        return cls(rng.random() < 0.4, "\r\n" if rng.random() < 0.5 else "\n", rng.random() < 0.3)

    def opening(self, columns: Iterable[str], lines_before: Iterable[str] = ()) -> str:
        return (
            ("\ufeff" if self.byte_order_mark else "")
            + "".join(line + self.line_end for line in lines_before)
            + (self.line_end if self.blank_first_line else "")
            + ",".join(columns)
            + self.line_end
        )


def quoted(text: str) -> str:
    """A CSV field of any text."""
    if '"' in text or "," in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _label(value: object, form: int) -> str:
    return _NULLS[form % 2] if value is None else quoted(str(value))


def _text(value: object, form: int) -> str:
    text = str(value)
    return f'"{text}"' if form % 3 == 1 and '"' not in text else quoted(text)


def number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _number(value: object, form: int) -> str:
    if value is None:
        return _NULLS[1 + form % 2]
    return number(cast(float, value))


def _score_or_word(value: object, form: int) -> str:
    return quoted(value) if isinstance(value, str) else _number(value, form)


def _seconds(value: object, form: int) -> str:
    if value is None:
        return _NULLS[1 + form % 2]
    seconds = cast(float, value)
    if form % 2 and seconds == int(seconds):
        return f"{int(seconds) // 3600:02d}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
    return number(seconds)


def _moment(value: object, form: int) -> str:
    if value is None:
        return _NULLS[0]
    moment = cast(datetime, value)
    text = moment.isoformat(sep="T", timespec="milliseconds" if moment.microsecond else "seconds")[:-6]
    if form % 3 == 0:
        return '"=""' + text.replace("T", " ") + '"""'
    return '="' + text.replace("T", " ") + '"' if form % 3 == 1 else text + "Z"


def _flag(value: object, form: int) -> str:
    return "True" if value else "False"


def _ids(value: object, form: int) -> str:
    return quoted((", " if form % 3 == 1 else ",").join(cast(list[str], value)))


RENDER: dict[str, Callable[[object, int], str]] = {
    LABEL: _label,
    TEXT: _text,
    NUMBER: _number,
    SCORE_OR_WORD: _score_or_word,
    SECONDS: _seconds,
    MOMENT: _moment,
    FLAG: _flag,
    IDS: _ids,
}


def with_any_null(render: Callable[[object, int], str]) -> Callable[[object, int], str]:
    """Render null as any of the words that were ever seen for it."""
    return lambda value, form: _NULLS[form % 3] if value is None else render(value, form)


def deleted_flag(deleted: bool, form: int) -> str:
    """`is_deleted` in one of the ways it has been seen."""
    return (("false", "0"), ("true", "1"))[deleted][form % 2]


@dataclass
class Damage:
    """The rows beyond the true ones that a file was given, by kind: what a reader must set aside."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, table: str, kind: str) -> None:
        kinds = self.rows.setdefault(table, {})
        kinds[kind] = kinds.get(kind, 0) + 1


class TableWriter:
    """Renders the rows of one file, with the faults that are on."""

    def __init__(self, table: str, style: Style, rng: Random, faults: Faults, damage: Damage, flagged: bool) -> None:
        self.table = table
        self._style = style
        self._faults = faults
        self._damage = damage
        self._flagged = flagged
        absent = {
            _LEFT_OUT.get(table) if faults.number("missing-column") else None,
            _IDENTITY_LEFT_OUT.get(table) if faults.number("missing-identity") else None,
        }
        self._columns = [
            (position, with_any_null(RENDER[kind]) if faults.number("odd-nulls") else RENDER[kind])
            for position, (name, kind) in enumerate(COLUMNS[table].items())
            if name not in absent
        ]
        self._names = [name for name in COLUMNS[table] if name not in absent]
        self._kinds = [COLUMNS[table][name] for name in self._names]
        self._announced = not faults.number("unknown-column")
        self._form = rng.randrange(6)
        self._same = SAME_IN_A_GRADE.get(table, 0)
        self._head: Row = ()
        self._rendered: list[str] = []

    def opening(self) -> str:
        extra = (["is_deleted"] if self._flagged else []) + ([] if self._announced else ["sentiment_v2"])
        renamed = _RENAMED if self.table == "total_scores" and self._faults.number("renamed-columns") else {}
        lines = (_LINES_BEFORE[n % len(_LINES_BEFORE)] for n in range(self._faults.number("lines-before-header")))
        return self._style.opening([*(renamed.get(name, name) for name in self._names), *extra], lines)

    def fields(self, row: Row, *, deleted: bool = False) -> list[str]:
        self._form += 1
        form = self._form
        if row[: self._same] != self._head:
            # The rows of a grade come one after the other: what they share is rendered once.
            self._head = row[: self._same]
            self._rendered = [render(row[at], form + at) for at, render in self._columns if at < self._same]
        fields = self._rendered + [render(row[at], form + at) for at, render in self._columns[len(self._rendered) :]]
        if self._flagged:
            fields.append(deleted_flag(deleted, form))
        if not self._announced:
            fields.append(("positive", "", '"neutral, mostly"')[form % 3])
        return fields

    def lines(self, rows: Iterable[tuple[Row, bool]]) -> list[str]:
        end = self._style.line_end
        return [",".join(self.fields(row, deleted=deleted)) + end for row, deleted in rows]

    def bad_lines(self, sample: Row, true_rows: int) -> list[str]:
        """Invalid rows, which a reader must refuse: rows of a ticket that does not exist, with one fault each."""
        lines = []
        number = self._faults.number("bad-rows")
        if self.table == "total_scores" and self._faults.number("too-many-bad-rows"):
            number = max(number, 1 + true_rows * self._faults.number("too-many-bad-rows") // 300)
        for copy in range(number):
            for kind, meaning, spoilt in (
                ("score", NUMBER, "87.5x"),
                ("time", MOMENT, "yesterday"),
                ("flag", FLAG, "perhaps"),
            ):
                if meaning in self._kinds:
                    lines.append(self._spoilt(sample, copy, kind, self._kinds.index(meaning), spoilt))
            identity = _FIRST_IDENTITY.get(self.table, "gradable_id")
            if identity in self._names:
                lines.append(self._spoilt(sample, copy, "identity", self._names.index(identity), ""))
        for copy in range(self._faults.number("ragged-row")):
            lines.append(self._spoilt(sample, copy, "too many fields", None, "one more"))
            lines.append(self._spoilt(sample, copy, "too few fields", None, None))
        return lines

    def _spoilt(self, sample: Row, copy: int, kind: str, position: int | None, value: str | None) -> str:
        fields = self.fields(sample)
        fields[0] = f"no such {self.table} {kind} {copy}"
        if position is not None:
            fields[position] = value or ""
        elif value is None:
            del fields[-2:]
        else:
            fields.append(value)
        self._damage.add(self.table, kind)
        return ",".join(fields) + self._style.line_end


@dataclass(frozen=True)
class RawSelection:
    """The grades of a raw export, as they stood when it was asked for."""

    grades: Sequence[Grade]
    clock: datetime
    with_deleted_flag: bool


def write_raw(
    centre: Centre,
    selection: RawSelection,
    tables: Sequence[str],
    path: Path,
    *,
    number: int,
    faults: Faults,
    zipped: bool,
) -> Damage:
    """Write the files of a raw export to `path`: a zip with a member for each table, or the one table as plain CSV."""
    damage = Damage()
    if not zipped:
        with path.open("wb") as out:
            out.writelines(_raw_pieces(centre, selection, tables[0], number, faults, damage))
        return damage
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        order = list(tables)
        draws(centre.seed, FILE, number).shuffle(order)
        if faults.number("missing-member"):
            order.remove(_ODD_MEMBER)
        for table in order:
            unsafe = table == "total_scores" and faults.number("unsafe-member")
            name = "../../escaped/total_scores.csv" if unsafe else f"maestro_export_{number}/{table}.csv"
            with archive.open(name, "w", force_zip64=True) as member:
                for piece in _raw_pieces(centre, selection, table, number, faults, damage):
                    member.write(piece)
        if faults.number("unknown-member"):
            archive.writestr("scores_v2.csv", "when,what,how_much\n2026-01-01,nothing,0\n")
            archive.writestr("README.txt", "Your export is ready.\n")
        odd = next((member for member in archive.infolist() if member.filename.endswith(f"/{_ODD_MEMBER}.csv")), None)
        if odd is not None:
            odd.flag_bits |= _ENCRYPTED if faults.number("encrypted-member") else 0
            odd.compress_type = _DEFLATE64 if faults.number("deflate64-member") else odd.compress_type
    if odd is not None:
        # The list of members, which was written last, says so already; the member's own header does not.
        with path.open("r+b") as file:
            file.seek(odd.header_offset + 6)
            file.write(struct.pack("<HH", odd.flag_bits, odd.compress_type))
    return damage


def write_table(table: str, rows: Iterable[Row], path: Path, *, seed: int, number: int, faults: Faults) -> Damage:
    """Write a groups or audit-log file, rows in no order."""
    damage = Damage()
    rng = draws(seed, FILE, number, list(COLUMNS).index(table))
    writer = TableWriter(table, Style.drawn(rng), rng, faults, damage, flagged=False)
    unsorted = [(row, False) for row in rows]
    rng.shuffle(unsorted)
    with path.open("wb") as out:
        out.write(writer.opening().encode())
        out.writelines(line.encode() for line in writer.lines(unsorted))
        if unsorted:
            out.writelines(line.encode() for line in writer.bad_lines(unsorted[0][0], len(unsorted)))
    return damage


def _raw_pieces(
    centre: Centre, selection: RawSelection, table: str, number: int, faults: Faults, damage: Damage
) -> Iterator[bytes]:
    rng = draws(centre.seed, FILE, number, RAW_FILES.index(table))
    flagged = selection.with_deleted_flag and table in GRADE_FILES
    writer = TableWriter(table, Style.drawn(rng), rng, faults, damage, flagged)
    yield writer.opening().encode()
    sample: Row | None = None
    count = 0
    for rows in _chunks(centre, selection, table, rng):
        sample = sample or (rows[0][0] if rows else None)
        count += len(rows)
        lines = writer.lines(rows)
        rng.shuffle(lines)
        yield "".join(lines).encode()
    if sample is not None:
        yield "".join(writer.bad_lines(sample, count)).encode()


def _chunks(centre: Centre, selection: RawSelection, table: str, rng: Random) -> Iterator[list[tuple[Row, bool]]]:
    grades = list(selection.grades)
    rng.shuffle(grades)
    tickets: set[Ticket] = set()
    for position in range(0, len(grades), _CHUNK):
        rows: list[tuple[Row, bool]] = []
        for grade in grades[position : position + _CHUNK]:
            if table == "csat":
                if grade.ticket not in tickets:
                    rows += [(survey, False) for survey in csat_rows(grade.ticket, replaced=True)]
                tickets.add(grade.ticket)
                continue
            version = grade.as_of(selection.clock)
            if version is not None:
                rows.extend((row, version.deleted) for row in GradeRows(centre, version).of(table))
        yield rows
