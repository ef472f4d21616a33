"""The published file as other programs and other people find it: links, left-over logs, modes and groups."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from maestro_analytics.warehouse import open
from tests.warehouse.data_folder import TOTAL, DataFolder

WRITE_AND_DIE = """
import os, signal, sys
import duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("create table mine as select range as i from range(1000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def scores_in(path) -> list[float]:
    with open(path) as qa:
        return qa.sql("select rubric_score from grades").to_series().to_list()


def test_a_log_that_another_program_left_beside_the_published_file_is_removed_when_publishing(data):
    data.land_rows(total_scores=[TOTAL])
    published = data.master.publish()
    killed = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(published)], check=False)
    log = published.with_name("maestro.duckdb.wal")
    assert killed.returncode == -signal.SIGKILL
    assert log.exists()

    data.land_rows(total_scores=[TOTAL | {"rubric_score": "71"}])
    data.master.publish()
    assert not log.exists()
    assert scores_in(published) == [71.0]


def test_a_published_path_that_is_a_link_stays_one_and_the_file_behind_it_is_replaced(tmp_path):
    shared = tmp_path / "share" / "quality.duckdb"
    shared.parent.mkdir()
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "maestro.duckdb").symlink_to(shared)
    data = DataFolder(folder)
    for score in ("70", "71"):
        data.land_rows(total_scores=[TOTAL | {"rubric_score": score}])
        data.master.publish()
    data.master.close()

    assert (folder / "maestro.duckdb").is_symlink()
    assert scores_in(shared) == scores_in(folder / "maestro.duckdb") == [71.0]
    assert [path.name for path in shared.parent.iterdir()] == ["quality.duckdb"]


def test_new_folders_and_files_are_for_their_owner_alone(tmp_path):
    before = os.umask(0o022)
    try:
        data = DataFolder(tmp_path / "data")
        data.land_rows(total_scores=[TOTAL])
        at = data.column("select now()")[0]
        data.master.land_coaching("todos", [{"id": "t"}], taken_at=at)
        data.master.publish()
        data.master.compact()
        data.master.close()
    finally:
        os.umask(before)
    folder = data.folder
    assert [mode_of(path) for path in (folder, folder / "exports", folder / "master")] == [0o700] * 3
    files = (
        folder / "maestro.duckdb",
        folder / "master" / "maestro.duckdb",
        folder / "exports/coaching-todos.ndjson.gz",
    )
    assert [mode_of(path) for path in files] == [0o600] * 3


@pytest.mark.skipif(os.getuid() != 0, reason="changing the group to any other needs root")
def test_the_published_file_keeps_the_mode_and_group_that_it_was_given(data):
    data.land_rows(total_scores=[TOTAL])
    published = data.master.publish()
    os.chown(published, -1, 4242)
    published.chmod(0o640)
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "71"}])
    data.master.publish()

    assert mode_of(published) == 0o640
    assert published.stat().st_gid == 4242


def test_a_data_folder_that_was_shared_with_a_group_gets_a_file_that_the_group_can_read(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o2770)
    data = DataFolder(folder)
    data.land_rows(total_scores=[TOTAL])
    published = data.master.publish()
    data.master.close()

    assert mode_of(folder) == 0o2770
    assert mode_of(published) == 0o640
    assert mode_of(folder / "master" / "maestro.duckdb") == 0o600
