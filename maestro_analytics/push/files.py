"""Read a user's own metrics from CSV or Parquet; values of a CSV stay text."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl

from maestro_analytics.errors import InvalidArgument

PARQUET_MAGIC = b"PAR1"


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
            return pl.read_parquet(path, hive_partitioning=False), []
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
