"""Where each test runs when pytest-xdist spreads the suite over several processes."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each file in one process, and all tests that use Spark in one, so that what they share is made once.

    Spark comes first: it is the longest group, and started last it would leave the other processes idle.
    """
    for item in items:
        uses_spark = "spark" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("spark" if uses_spark else f"{item.path.parent.name}/{item.path.stem}"))
    items.sort(key=lambda item: "spark" not in getattr(item, "fixturenames", ()))
