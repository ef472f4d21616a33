"""What a wheel carries: the SQL files and the notebooks lie beside the package and must travel with it."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_wheel_carries_every_module_query_view_and_notebook(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    expected = {str(path.relative_to(ROOT)) for path in (ROOT / "maestro_analytics").rglob("*.py")}
    expected |= {f"maestro_analytics/analysis/report/{name}" for name in ("style.css", "search.js")}
    expected |= {f"maestro_analytics/_sql/{path.relative_to(ROOT / 'sql')}" for path in (ROOT / "sql").rglob("*.sql")}
    expected |= {f"maestro_analytics/_notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert expected - names == set()
    assert {name for name in names if name.startswith("tests/")} == set()
