"""Tables, declared once, and files and records read into checked rows. Opens no database and calls no API."""

import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


class _NotInstalled(MetaPathFinder):
    """Packages that pandera imports where it can: 90 MiB and a second of each command."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name in ("hypothesis", "pandas", "pyspark"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


_hiding = _NotInstalled()
# Only in a process of our own: in a notebook or a scheduler, somebody may check pandas frames with pandera.
if "maestro_analytics.cli" in sys.modules:
    sys.meta_path.insert(0, _hiding)
try:
    with warnings.catch_warnings():
        # pyspark.pandas warns about pandas 3 on every start.
        warnings.simplefilter("ignore", FutureWarning)
        import pandera.polars
        import pandera.strategies.base_strategies  # noqa: F401 - imports hypothesis, otherwise at the first check
finally:
    if _hiding in sys.meta_path:
        sys.meta_path.remove(_hiding)
