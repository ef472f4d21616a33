"""Erase a person or a ticket from a data folder: kept files, kept lists, and every table of the master.

A record goes when it is about the person or the ticket, and also when its text names the person's e-mail address or
full name. What was erased is noted in state.erasures, without saying who.
"""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import polars as pl

from maestro_analytics.errors import InvalidArgument, UnreadableFile, nearest_names
from maestro_analytics.files import is_zip, sha256_of, write_atomically
from maestro_analytics.tables.archive import BROKEN_ARCHIVE, Member, members_of
from maestro_analytics.tables.casting import id_list
from maestro_analytics.tables.csv_rows import records_of
from maestro_analytics.tables.headers import HEADER_BOUND, find_header, match
from maestro_analytics.tables.schemas import EXPORT_TABLES
from maestro_analytics.warehouse.connection import quoted, rowcount
from maestro_analytics.warehouse.ledger import relative
from maestro_analytics.warehouse.master import Master
from maestro_analytics.warehouse.state import columns_of

_LISTS = ".ndjson.gz"
_NOT_ERASED = {
    *("state.exports", "state.refreshes", "state.account", "state.starts", "state.coverage", "state.settled"),
    *("state.erasures", "state.schema_changes", "main.multi_select_questions"),
}
"""Tables that hold nothing of a person or a ticket but an error message."""

_RUBRIC = "[0-9A-Za-z]{17}"
_RUBRICS = """
select distinct rubric_id from (
    select rubric_id from total_scores union all select rubric_id from grade_history
    union all select rubric_id from coaching_points
) where rubric_id is not null order by all
"""
_PERSON = """
select distinct person_id from (
    select person_id, agent_id as name from agent_ids union all select person_id, person_id from agents
    union all select person_id, agent_email from agents union all select person_id, agent_name from agents
) where lower(trim(name)) = lower(trim($name))
"""
_PEOPLE = """
select distinct unnest([agent_name, agent_email, person_id]) as name from agents
union select agent_id from agent_ids
"""
_IDS = "select agent_id from agent_ids where person_id = $person union select $person"
_NAMES = """
select distinct lower(trim(name)) from (
    select agent_id, unnest([agent_email, agent_name]) as name from total_scores
    union all select agent_id, unnest([agent_email, agent_name]) from grade_history
    union all select person_id, unnest([agent_email, agent_name]) from agents
) where list_contains($ids, agent_id) and name is not null
"""


@dataclass(frozen=True)
class Subject:
    """Whose records are erased.

    Attributes:
        ids: ids of the agent, or the one id of the ticket.
        source: of the ticket; None for an agent.
        names: e-mail addresses and full names of the agent, in lower case.
        rubrics: the rubrics of the account. In an answer id, whose parts may hold the character that parts them, the
            rubric tells where the ticket ends and the agent begins.
    """

    ids: tuple[str, ...]
    source: str | None = None
    names: tuple[str, ...] = ()
    rubrics: tuple[str, ...] = ()

    @property
    def is_ticket(self) -> bool:
        return self.source is not None

    @property
    def pattern(self) -> str:
        """A regular expression, for Python and DuckDB, of texts that name the subject."""
        rubric = f"({'|'.join([_RUBRIC, *map(re.escape, self.rubrics)])})"
        ids = f"({'|'.join(map(re.escape, self.ids))})"
        in_answer_ids = rf"(^|\W)[0-9A-Za-z]+_{ids}_{rubric}_" if self.is_ticket else f"_{rubric}_{ids}_[A-Z]+_[a-z]"
        words = [re.escape(name) for name in self.names if "@" in name or " " in name]
        if self.is_ticket and len(self.ids[0]) > 4:
            words.append(re.escape(self.ids[0]))
        return in_answer_ids + (rf"|(?i:(^|\W)({'|'.join(words)})(\W|$))" if words else "")

    def is_in(self, fields: Mapping[str, Any], text: str) -> bool:
        """Whether a record of a file or list is about the subject or names it."""
        ticket = fields.get("gradable_id") or fields.get("gradableId")
        if self.is_ticket and ticket is not None:
            return ticket in self.ids and (fields.get("source") or self.source) == self.source
        agents = {str(fields.get("agent_id") or fields.get("agentId"))}
        if listed := fields.get("agent_ids"):
            agents.update(pl.select(id_list(pl.lit(str(listed))).explode()).to_series())
        if not self.is_ticket and not agents.isdisjoint(self.ids):
            return True
        return re.search(self.pattern, text) is not None


@dataclass
class Erased:
    """What was erased, or would be.

    Attributes:
        tables: table -> rows.
        files: kept files that held records.
        file_rows: records in them.
        removed_files: kept files that could not be read, and so were removed whole.
    """

    tables: dict[str, int] = field(default_factory=dict)
    files: int = 0
    file_rows: int = 0
    removed_files: int = 0


def agent(connection: duckdb.DuckDBPyConnection, name: str) -> Subject:
    """The person with an id, an e-mail address or a name.

    Raises:
        InvalidArgument: several people have that name.
    """
    people = connection.execute(_PERSON, {"name": name}).fetchall()
    if len(people) > 1:
        raise InvalidArgument(f"{len(people)} people are called {name!r}: give an id or the e-mail address.")
    ids = {name}
    for (person,) in people:
        ids |= {str(each) for (each,) in connection.execute(_IDS, {"person": person}).fetchall()}
    names = {str(each) for (each,) in connection.execute(_NAMES, {"ids": sorted(ids)}).fetchall()}
    names.add(name.strip().lower())
    return Subject(tuple(sorted(ids)), names=tuple(sorted(names)), rubrics=_rubrics(connection))


def nearest_people(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Names, addresses and ids of people that somebody who writes `name` may mean."""
    return nearest_names(name, [str(each) for (each,) in connection.execute(_PEOPLE).fetchall()])


def _rubrics(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    return tuple(str(rubric) for (rubric,) in connection.execute(_RUBRICS).fetchall())


def ticket(connection: duckdb.DuckDBPyConnection, text: str) -> Subject:
    """The ticket named SOURCE:ID.

    Raises:
        InvalidArgument: the text has another form.
    """
    source, separator, gradable_id = text.partition(":")
    if not (source and separator and gradable_id):
        raise InvalidArgument(f"--ticket {text!r}: write SOURCE:ID, such as zendesk:5310985.")
    return Subject((gradable_id,), source, rubrics=_rubrics(connection))


def erase(master: Master, subject: Subject, *, dry_run: bool = False) -> Erased:
    """Erase a subject from the kept files and the master, and rewrite the master without the deleted rows.

    Each file is replaced atomically, then all tables change in one transaction: after a kill, run it again.
    """
    erased = Erased()
    for path in sorted(each for each in master.exports_folder.rglob("*") if each.is_file()):
        if path.name.endswith(".part"):
            path.unlink(missing_ok=True)  # Of a process that was killed.
        elif path.name.endswith(_LISTS):
            _erase_from_list(path, subject, erased, dry_run)
        else:
            _erase_from_export(master, path, subject, erased, dry_run)
    connection = master.connection
    connection.execute("begin")
    try:
        erased.tables = _erase_rows(connection, subject)
        files = erased.files + erased.removed_files
        connection.execute(
            "insert into state.erasures values (?, ?, ?, ?)",
            [datetime.now(UTC), "ticket" if subject.is_ticket else "agent", sum(erased.tables.values()), files],
        )
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("rollback" if dry_run else "commit")
    if not dry_run:
        master.compact()
    return erased


def _erase_rows(connection: duckdb.DuckDBPyConnection, subject: Subject) -> dict[str, int]:
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database() and not internal "
        "and not temporary order by all"
    ).fetchall()
    parameters = {"ids": list(subject.ids), "pattern": subject.pattern, "source": subject.source}
    found = {}
    keys: set[str] = set()
    conditions = {}
    for schema, name in tables:
        if f"{schema}.{name}" in _NOT_ERASED:
            continue
        columns = columns_of(connection, name, schema=schema)
        conditions[schema, name] = _condition(connection, schema, name, columns, subject)
        if "grade_key" in columns and {"agent_id", "gradable_id"} <= set(columns):
            about = _about(columns, subject)
            rows = connection.execute(f"select grade_key from {schema}.{name} where {about}", _used(about, parameters))
            keys |= {str(key) for (key,) in rows.fetchall()}
    parameters["keys"] = sorted(keys)
    for (schema, name), condition in conditions.items():
        used = _used(condition, parameters)
        if gone := rowcount(connection, f"delete from {schema}.{name} where {condition}", used):
            found[name if schema == "main" else f"{schema}.{name}"] = gone
    connection.execute(
        "update state.exports set error = null where regexp_matches(error, $pattern)", {"pattern": subject.pattern}
    )
    connection.execute(
        "update state.refreshes set error = null where regexp_matches(error, $pattern)", {"pattern": subject.pattern}
    )
    return found


def _used(condition: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if f"${name}" in condition}


def _about(columns: list[str], subject: Subject) -> str:
    """The condition of rows that are about the subject, by their columns."""
    if subject.is_ticket:
        ids = [f"list_contains($ids, {name})" for name in ("gradable_id", "ticket_id") if name in columns]
        of = next((name for name in ("source", "source_id") if name in columns), None)
        return " or ".join(f"({each} and coalesce({of}, $source) = $source)" if of else each for each in ids) or "false"
    ids = [f"list_contains($ids, {name})" for name in ("agent_id", "person_id") if name in columns]
    ids += ["list_has_any(agent_ids, $ids)"] if "agent_ids" in columns else []
    return " or ".join(ids) or "false"


def _condition(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, columns: list[str], subject: Subject
) -> str:
    about = _about(columns, subject)
    if "grade_key" in columns:
        # A grade whose rows are all in quarantine has its key alone here. Not split_part, which DuckDB 2.0 cannot
        # compare with anything where no row has a key.
        part = "string_split(grade_key, '|')[2]" if subject.is_ticket else "string_split(grade_key, '|')[4]"
        of_source = " and string_split(grade_key, '|')[1] in ($source, '\\N')" if subject.is_ticket else ""
        about += f" or list_contains($keys, grade_key) or (list_contains($ids, {part}){of_source})"
    if subject.is_ticket and "gradable_id" in columns:
        return f"coalesce({about}, false)"
    kinds = connection.execute(f"describe {schema}.{name}").fetchall()
    texts = ", ".join(quoted(str(row[0])) for row in kinds if row[1] == "VARCHAR" and row[0] != "grade_key")
    if texts:
        about += f" or regexp_matches(concat_ws(chr(10), {texts}), $pattern)"
    if name == "quarantine":
        about += " or list_has_any(regexp_split_to_array(raw, '[\",;|\\s]+'), $ids)"
    return f"coalesce({about}, false)"


def _erase_from_list(path: Path, subject: Subject, erased: Erased, dry_run: bool) -> None:
    with gzip.open(path, "rb") as file:
        lines = file.readlines()
        taken = file.mtime
    kept = [line for line in lines if not subject.is_in(json.loads(line), line.decode())]
    if len(kept) == len(lines):
        return
    erased.files += 1
    erased.file_rows += len(lines) - len(kept)
    if dry_run:
        return
    with (
        write_atomically(path) as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=taken) as packed,
    ):
        packed.writelines(kept)


def _erase_from_export(master: Master, path: Path, subject: Subject, erased: Erased, dry_run: bool) -> None:
    try:
        with members_of(path) as members:
            if any(member.fault for member in members):
                raise UnreadableFile(f"{path.name} has a member that cannot be read", path=path)
            gone = sum(not is_kept for member in members for _, is_kept in _pieces(member, subject))
            if gone and not dry_run:
                with write_atomically(path) as raw:
                    _write_without(members, subject, raw, as_zip=is_zip(path))
    except (UnreadableFile, *BROKEN_ARCHIVE):
        # What cannot be read cannot be searched either.
        erased.removed_files += 1
        if not dry_run:
            path.unlink()
            _change_ledger(master, path, "file = null, sha256 = null, bytes = null")
        return
    if gone:
        erased.files += 1
        erased.file_rows += gone
        if not dry_run:
            _change_ledger(master, path, "sha256 = ?, bytes = ?", sha256_of(path), path.stat().st_size)


def _write_without(members: list[Member], subject: Subject, raw: BinaryIO, *, as_zip: bool) -> None:
    """Write the files of an export to `raw`, without what is of `subject`."""
    if not as_zip:
        raw.writelines(piece for piece, is_kept in _pieces(members[0], subject) if is_kept)
        return
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            with archive.open(member.name, "w", force_zip64=True) as target:
                target.writelines(piece for piece, is_kept in _pieces(member, subject) if is_kept)


def _pieces(member: Member, subject: Subject) -> Iterator[tuple[bytes, bool]]:
    """The header and the records of a file, each with whether it stays."""
    with member.open() as stream:
        head = stream.read(HEADER_BOUND)
    header, table = find_header(head, EXPORT_TABLES, file_name=member.name)
    if header is None or table is None:
        with member.open() as stream:
            for line in stream:
                yield line, not subject.is_in({}, line.decode("utf-8", errors="replace"))
        return
    yield head[: header.length], True
    end = "\r\n" if head[: header.length].endswith(b"\r\n") else "\n"
    names = match(header, table).stored
    for record in records_of(member, header):
        fields = dict(zip(names, record.fields, strict=False)) if record.fault is None else {}
        yield f"{record.raw}{end}".encode("utf-8", errors="surrogatepass"), not subject.is_in(fields, record.raw)


def _change_ledger(master: Master, path: Path, assignments: str, *values: Any) -> None:
    name = relative(path, master.folder)
    master.connection.execute(f"update state.exports set {assignments} where file = ?", [*values, name])
