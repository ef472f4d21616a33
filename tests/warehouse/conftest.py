from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.warehouse.desk import Desk

# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "data")
    yield made
    made.master.close()
