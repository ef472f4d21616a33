"""Optional dependencies: what is missing is named in one line, with the command that installs it."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from maestro_analytics.analysis import Answer
from maestro_analytics.errors import SettingsError
from maestro_analytics.extras import PACKAGES, require

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("extra", PACKAGES)
def test_an_extra_installs_the_packages_that_it_stands_for(extra):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert sorted(requirement.split(">")[0] for requirement in declared[extra]) == sorted(PACKAGES[extra])


READ_RECORDS = """
import sys
import maestro_analytics.cli, maestro_analytics.pipeline
from maestro_analytics.tables.schemas import TODOS
from maestro_analytics.tables.json_records import read_records
rows, refused = read_records([{"id": "1", "createdAt": "2026-01-31T00:00:00Z"}, {"id": ""}], TODOS)
assert (rows.height, len(refused)) == (1, 1)
print(sorted({"pandas", "pyspark", "hypothesis", "scipy"} & set(sys.modules)))
import pandas
"""


def test_a_command_imports_none_of_the_large_packages_that_pandera_and_pyarrow_look_for():
    done = subprocess.run([sys.executable, "-c", READ_RECORDS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(PACKAGES, "excel", ("a_package_that_does_not_exist",))
    with pytest.raises(SettingsError, match=r"--format xlsx.*pip install 'maestro-analytics\[excel\]'"):
        require("excel", for_what="`--format xlsx`")


def test_an_answer_becomes_a_pandas_frame_or_says_what_to_install(monkeypatch):
    answer = Answer({"agent_id": ["0072999"], "at": [datetime(2026, 1, 31, tzinfo=UTC)], "ids": [["1", "2"]]})
    converted = answer.to_pandas()
    assert converted["agent_id"].to_list() == ["0072999"]
    assert str(converted["at"].dtype.tz) == "UTC"
    monkeypatch.setitem(PACKAGES, "pandas", ("a_package_that_does_not_exist",))
    with pytest.raises(SettingsError, match=r"to_pandas.*pip install 'maestro-analytics\[pandas\]'"):
        answer.to_pandas()
