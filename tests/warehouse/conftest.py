from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warehouse.data_folder import DataFolder


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    made = DataFolder(tmp_path / "data")
    yield made
    made.master.close()
