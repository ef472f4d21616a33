"""A database of an older layout is migrated; one of a newer layout is refused with one line."""

import tarfile
from pathlib import Path

import duckdb
import pytest

import maestro_analytics as ma
from maestro_analytics.errors import SettingsError
from maestro_analytics.warehouse import Master
from maestro_analytics.warehouse.connection import LAYOUT
from maestro_analytics.warehouse.replay import replay
from tests.commands import run
from tests.warehouse.data_folder import KEY, OF_PUBLISHING, TOTAL, DataFolder, everything

VERSION_0_1_0 = Path(__file__).with_name("data") / "version_0.1.0.tar.xz"
"""The published file and the kept files of a small data folder, as version 0.1.0 wrote them."""


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    with tarfile.open(VERSION_0_1_0) as packed:
        packed.extractall(tmp_path / "data", filter="data")
    return tmp_path / "data"


def test_a_file_of_version_0_1_0_is_read_before_any_refresh(old_folder):
    with ma.open(old_folder / "maestro.duckdb") as qa:
        assert qa.sql("select rubric_score, score_percent from grades where grade_key = ?", [KEY]).rows() == [(90, 90)]
        assert qa.query("agent_scores").height == 1
        assert qa.overview().rows["total_scores"] == 149


def tables(data: DataFolder) -> dict[str, list[str]]:
    """All tables, with their columns in order of name: a migration adds columns at the end."""
    found = {}
    for name in everything(data):
        rows = data.table(f"from {name}").drop("landed_at", *OF_PUBLISHING, strict=False)
        found[name] = sorted(repr(row) for row in rows.select(sorted(rows.columns)).rows())
    return found


def test_a_folder_of_version_0_1_0_is_migrated_and_gives_the_same_by_replay(old_folder):
    data = DataFolder(old_folder)
    assert data.column("select layout from state.account") == [LAYOUT]
    assert data.rows("select count(*), count(distinct grade_key), max(rubric_score) from total_scores") == [
        (149, 149, 90)
    ]
    assert data.column("select rubric_score from grade_history") == [70.0]
    assert data.column("select gradable_id from state.deletions") == ["m7"]
    assert data.column("select reason from state.quarantine") == ["rubric_score: '?' is not a number"]
    assert len(data.master.coverage("raw")) == 1
    data.land_rows(week=3, total_scores=[TOTAL | {"gradable_id": "new"}])
    data.master.publish()
    migrated = tables(data)

    assert [outcome.error for outcome in replay(data.master)] == [None] * 7
    data.master.publish()
    replayed = tables(data)
    # Only a replay can tell what version 0.1.0 did not store: dates of versions, and which grades are not whole.
    differ = {name for name in migrated if migrated[name] != replayed[name]}
    assert differ == {
        "main.incomplete_grades",
        "state.deletions",
        "state.exports",
        "state.grade_versions",
        "state.quarantine",
    }
    data.master.close()
    with ma.open(old_folder / "maestro.duckdb") as qa:
        assert qa.sql("select count(*) from grades").item() == 150


@pytest.fixture
def newer_folder(tmp_path: Path) -> Path:
    data = DataFolder(tmp_path / "data")
    data.land_rows(total_scores=[TOTAL])
    data.master.publish()
    data.master.close()
    for path in (data.folder / "maestro.duckdb", data.folder / "master" / "maestro.duckdb"):
        with duckdb.connect(path) as connection:
            connection.execute("update state.account set layout = ?", [LAYOUT + 1])
    return data.folder


def test_a_database_of_a_newer_layout_is_refused_and_not_touched(newer_folder):
    said = rf"newer version of maestro-analytics \(layout {LAYOUT + 1}; this one knows {LAYOUT}\): update"
    before = (newer_folder / "master" / "maestro.duckdb").read_bytes()
    for _ in range(2):
        with pytest.raises(SettingsError, match=said):
            Master.open(newer_folder)
    with pytest.raises(SettingsError, match=said):
        ma.open(newer_folder / "maestro.duckdb")
    assert (newer_folder / "master" / "maestro.duckdb").read_bytes() == before


@pytest.mark.parametrize("command", [["status"], ["replay"], ["refresh", "--plan"]], ids=" ".join)
def test_every_command_says_it_in_one_line(newer_folder, command):
    done = run(newer_folder, *command, MAESTRO_DATA=str(newer_folder), MAESTRO_API_TOKEN="t")
    assert (done.returncode, len(done.stderr.splitlines())) == (3, 1), done.stderr
