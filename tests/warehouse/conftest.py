from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.warehouse.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "data")
    yield made
    made.master.close()
