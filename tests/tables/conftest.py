import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from maestro_analytics.tables.delivery import Delivery
from maestro_analytics.tables.reader import read_export


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Delivery]:
    """Read bytes as an export; a mapping of names to texts is zipped first."""

    def reading(content: bytes | str | dict[str, bytes | str], *, kind: str = "raw", budget: float = 1.0) -> Delivery:
        path = tmp_path / "export"
        if isinstance(content, dict):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, text in content.items():
                    archive.writestr(name, text)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_export(path, kind=kind, staging=tmp_path / "staging", budget=budget)

    return reading


def rows_of(delivery: Delivery, table_name: str) -> pl.DataFrame:
    """The live rows of a table of a delivery, in the order of the file."""
    staged = delivery.tables[table_name]
    if not staged.files:
        return pl.DataFrame(schema=dict.fromkeys(staged.columns, pl.String))
    return pl.concat([pl.read_parquet(file) for file in staged.files], how="diagonal").select(staged.columns)
