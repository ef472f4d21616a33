"""Metrics that a user gives: read from a file, and checked as a frame.

Every row that cannot be sent is named with its reason; none is dropped. Text is cast here, where a failed cast is
noticed, then the pandera schema of the kind looks at the typed rows. Identifiers are never cast: a number has lost its
leading zeros before we see it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import maestro_analytics.tables  # noqa: F401  first, since it keeps pandera's import quiet where PySpark is installed

# isort: split
import pandera.polars as pa
import polars as pl
import pyarrow

from maestro_analytics.errors import InvalidArgument
from maestro_analytics.push.entries import ENTRY_SCHEMA, FACTS, KEY, Entry, Kind
from maestro_analytics.tables import casting
from maestro_analytics.tables.columns import UTC_MOMENT

PARQUET_MAGIC = b"PAR1"
VALUE_AND_MOMENT = {
    "metric_value": pa.Column(
        pl.Float64,
        checks=[pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).is_finite()), name="finite")],
        nullable=False,
        description="The value, a finite number; required by the reference for a deletion too",
    ),
    "timestamp": pa.Column(
        UTC_MOMENT, nullable=False, description="The moment the value counts for, UTC, whole seconds"
    ),
}
TIME_ZONE = r"T.*(Z|[+-]\d{2}:?\d{2})$"
WORDS_FOR_CHECKS = {
    "not_nullable": "{column} is required",
    "filled": "{column} is required",
    "finite": "{column} is not a finite number",
}


def read_metrics_file(path: Path) -> tuple[pl.DataFrame, list[dict[str, str | None]]]:
    """The rows of a CSV or Parquet file with the API's field names in its header.

    A CSV is UTF-8, with or without a byte-order mark, fields divided by commas. Nothing is inferred: an empty
    field is null, everything else stays text.

    Returns:
        The frame, and the lines of a CSV that have too many or too few fields, as a report's `rejected`.

    Raises:
        InvalidArgument: the file is missing, empty, or neither of the two.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(PARQUET_MAGIC))
        if magic == PARQUET_MAGIC:
            return pl.read_parquet(path, glob=False, hive_partitioning=False), []
        return _read_csv(path)
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error.strerror or error}") from None
    except (pl.exceptions.ComputeError, pl.exceptions.PolarsError) as error:
        raise InvalidArgument(f"{path} cannot be read as Parquet: {error}") from None
    except UnicodeDecodeError:
        raise InvalidArgument(f"{path} is neither Parquet nor text in UTF-8") from None
    except csv.Error as error:
        raise InvalidArgument(f"{path} cannot be read as CSV: {error}") from None


def _read_csv(path: Path) -> tuple[pl.DataFrame, list[dict[str, str | None]]]:
    rows: list[list[str | None]] = []
    ragged: list[dict[str, str | None]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        header = next((fields for fields in reader if any(fields)), None)
        if header is None:
            raise InvalidArgument(f"{path} is empty: the first line names the fields")
        names = [name.strip() for name in header]
        if len(set(names)) < len(names):
            raise InvalidArgument(f"{path} names a column twice: {', '.join(names)}")
        for fields in reader:
            if not any(fields):
                continue
            if len(fields) != len(names):
                told = dict(zip(names, fields, strict=False))
                facts = {name: told.get(name) for name in ("agent_id", "metric_id", "timestamp")}
                reason = f"line {reader.line_num}: {len(fields)} fields, the header has {len(names)}"
                ragged.append(facts | {"reason": reason})
                continue
            rows.append([value or None for value in fields])
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"), ragged


# isort: split


def _filled(description: str) -> pa.Column:
    """Text that must be there."""
    check = pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).str.len_bytes() > 0), name="filled")
    return pa.Column(pl.String, checks=[check], nullable=False, description=description)


AGENT_METRICS = pa.DataFrameSchema(
    {
        "agent_id": _filled("An id or the e-mail address of an agent"),
        "metric_id": _filled("The metric"),
    }
    | VALUE_AND_MOMENT,
    name="agent metrics",
)

TICKET_METRICS = pa.DataFrameSchema(
    {
        "ticket_id": _filled("The ticket"),
        "source_id": _filled("The helpdesk the ticket is from, such as `salesforce`"),
        "agent_id": _filled("An id or the e-mail address of an agent of the ticket"),
        "metric_id": _filled("The metric"),
    }
    | VALUE_AND_MOMENT
    | {
        "ticket_event_id": pa.Column(
            pl.String, nullable=True, required=False, description="An event of the ticket, such as one survey"
        ),
        "metric_deleted": pa.Column(
            pl.Boolean, nullable=True, required=False, description="Whether the metric is to be taken off the ticket"
        ),
    },
    name="ticket metrics",
)

SCHEMAS = {Kind.AGENT: AGENT_METRICS, Kind.TICKET: TICKET_METRICS}


@dataclass
class Checked:
    """What can be sent and what cannot.

    Attributes:
        entries: a frame of entries, one row per key.
        refused_entries: those of the refused rows that are whole entries, for the ledger, with their reasons.
        refused: the fields of `FACTS` as text, as they came, and `reason`; one row per row refused.
        warnings: sentences about the frame as a whole.
    """

    entries: pl.DataFrame
    refused_entries: list[tuple[Entry, str]]
    refused: list[dict[str, str | None]]
    warnings: list[str] = field(default_factory=list)


def check_entries(frame: pl.DataFrame, *, kind: Kind, known_agents: Collection[str] | None) -> Checked:
    """The rows of a user's frame that can be sent, and the others with a reason each.

    The frame has the API's field names. Rows that say the same twice are sent once; rows that say different
    things about one key are all refused, since none of them can be preferred.

    Args:
        known_agents: ids and (in lower case) e-mail addresses of the account's agents; None when there is no
            published database to know them from, then the vendor alone judges.

    Raises:
        InvalidArgument: a required column is missing or misspelt, or has a type that cannot be meant.
    """
    schema = SCHEMAS[kind]
    warnings = _column_warnings(frame, schema, kind)
    if known_agents is None:
        warnings.append("no published database to know the agents from: the vendor alone judges them")
    columns = [name for name in schema.columns if name in frame.columns]
    reasons: dict[int, list[str]] = defaultdict(list)
    typed = frame.select(_cast(frame[name], reasons) for name in columns)
    _validate(schema, typed, reasons)
    if kind is Kind.AGENT and "metric_deleted" in frame.columns:
        flags = _cast(frame["metric_deleted"], defaultdict(list)).fill_null(value=False)
        for row in flags.arg_true():
            reasons[row].append("an agent metric cannot be deleted: the API knows metric_deleted for tickets only")
    _refuse_unknown_agents(typed, known_agents, reasons)
    whole = _whole_entries(typed)
    sendable = whole.filter(~pl.col("row").is_in(list(reasons)))
    repeated = _refuse_contradictions(sendable, reasons)
    entries = repeated.filter(~pl.col("row").is_in(list(reasons))).select(*ENTRY_SCHEMA)
    raw = frame.select(name for name in FACTS if name in frame.columns)
    told = {row: "; ".join(reasons[row]) for row in sorted(reasons)}
    refused = [_facts(raw, row) | {"reason": reason} for row, reason in told.items()]
    required = [name for name, column in schema.columns.items() if column.required]
    whole_but_refused = whole.filter(pl.col("row").is_in(list(told))).drop_nulls(required)
    refused_entries = [(Entry(*values), told[row]) for row, *values in whole_but_refused.iter_rows()]
    return Checked(entries, refused_entries, refused, warnings)


def _column_warnings(frame: pl.DataFrame, schema: pa.DataFrameSchema, kind: Kind) -> list[str]:
    missing = [name for name, column in schema.columns.items() if column.required and name not in frame.columns]
    extra = [name for name in frame.columns if name not in schema.columns]
    absent = [name for name in schema.columns if name not in frame.columns]
    for name in extra:
        # A misspelt optional column would be a deletion that is not made: never guess past it.
        near = get_close_matches(name.strip().lower(), absent, n=1, cutoff=0.8)
        if near:
            raise InvalidArgument(f"{kind} metrics have no field {name!r}: write {near[0]!r}, or drop the column")
    if missing:
        raise InvalidArgument(
            f"{kind} metrics need {', '.join(missing)}; the columns are {', '.join(frame.columns) or 'none'}"
        )
    ignored = [name for name in extra if name != "metric_deleted"]
    return [f"columns that {kind} metrics do not have were left out: {', '.join(ignored)}"] if ignored else []


def _cast(column: pl.Series, reasons: dict[int, list[str]]) -> pl.Series:
    """The column in the type of `ENTRY_SCHEMA`; a value that cannot be read becomes null and gets its reason."""
    name, dtype = column.name, column.dtype
    wanted: Any = ENTRY_SCHEMA[name]
    if dtype == pl.Null:
        return column.cast(wanted)
    if wanted == pl.String:
        if dtype not in (pl.String, pl.Categorical, pl.Enum):
            raise InvalidArgument(f"{name} is {dtype}: identifiers are text (a number has lost its leading zeros)")
        return column.cast(pl.String)
    if dtype != pl.String:
        return _cast_typed(column, wanted)
    text = column.str.strip_chars()
    text = text.set(text == "", None)
    texts = text.to_frame()
    if wanted == pl.Float64:
        cast, what = texts.select(casting.number(pl.col(name))).to_series(), "is not a number"
    elif wanted == pl.Boolean:
        cast, what = texts.select(casting.flag(pl.col(name))).to_series(), "is neither true nor false"
    else:
        cast, what = _moments(text), "is not a moment like 2017-12-13T05:00:00Z"
    for row in (text.is_not_null() & cast.is_null()).arg_true():
        reasons[row].append(f"{name} {text[row]!r} {what}")
    return cast.alias(name)


def _cast_typed(column: pl.Series, wanted: Any) -> pl.Series:
    name, dtype = column.name, column.dtype
    if wanted == pl.Float64 and dtype.is_numeric():
        return column.cast(pl.Float64)
    if wanted == pl.Boolean and dtype == pl.Boolean:
        return column
    if wanted == UTC_MOMENT and isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").cast(UTC_MOMENT).dt.truncate("1s")
    hint = ": a moment needs a time zone" if isinstance(dtype, (pl.Datetime, pl.Date)) else ""
    raise InvalidArgument(f"{name} is {dtype}, which cannot be read as {wanted}{hint}")


def _moments(text: pl.Series) -> pl.Series:
    """Moments in whole seconds; null for a text without a time zone, which could be any."""
    aware = text.set(~text.str.contains(TIME_ZONE).fill_null(value=False), "")
    return casting.moment(pyarrow.chunked_array([aware.to_arrow().cast(pyarrow.string())])).dt.truncate("1s")


def _validate(schema: pa.DataFrameSchema, typed: pl.DataFrame, reasons: dict[int, list[str]]) -> None:
    unread = {row for row, told in reasons.items() if told}
    try:
        schema.validate(typed, lazy=True)
    except pa.errors.SchemaErrors as error:
        failed: dict[tuple[int, str], str] = {}
        for row, name, check in error.failure_cases.select("index", "column", "check").iter_rows():
            if check != "not_nullable" or (row, name) not in failed:  # a NaN fails as a null too
                failed[row, name] = check
        for (row, name), check in failed.items():
            if row in unread and any(told.startswith(f"{name} ") for told in reasons[row]):
                continue
            reasons[row].append(WORDS_FOR_CHECKS.get(check, "{column} fails " + str(check)).format(column=name))


def _refuse_unknown_agents(
    typed: pl.DataFrame, known_agents: Collection[str] | None, reasons: dict[int, list[str]]
) -> None:
    if known_agents is None:
        return
    known = set(known_agents)
    for row, agent_id in enumerate(typed["agent_id"]):
        if agent_id and agent_id not in known and agent_id.lower() not in known:
            reasons[row].append(
                f"no agent {agent_id!r} in agent_ids, nor as an e-mail address in agents: refresh if the agent is new"
            )


def _whole_entries(typed: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in ENTRY_SCHEMA.items() if name not in typed.columns]
    texts = [pl.col(name).fill_null("") for name, dtype in ENTRY_SCHEMA.items() if dtype == pl.String]
    return typed.with_columns(absent).with_columns(texts).select(*ENTRY_SCHEMA).with_row_index("row")


def _refuse_contradictions(rows: pl.DataFrame, reasons: dict[int, list[str]]) -> pl.DataFrame:
    payload = pl.struct("metric_value", pl.col("metric_deleted").fill_null(value=False))
    payloads = rows.with_columns(said=payload.n_unique().over(KEY))
    for row in payloads.filter(pl.col("said") > 1)["row"]:
        reasons[row].append("the same agent, metric and timestamp come with different values: keep one of them")
    return rows.unique(KEY, keep="first", maintain_order=True)


def _facts(raw: pl.DataFrame, row: int) -> dict[str, str | None]:
    values = raw.row(row, named=True)
    return {name: None if (value := values.get(name)) is None else str(value) for name in FACTS}
