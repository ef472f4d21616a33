"""A disk that is full in the course of a refresh: one clear error, what had landed stays, and a rerun finishes."""

import subprocess
from datetime import timedelta

import pytest

from maestro_analytics.cli.exit_codes import exit_code
from maestro_analytics.errors import DiskFault
from maestro_analytics.warehouse import master
from tests import new_databases
from tests.refresh.conftest import NOW, assert_holds_the_truth, bring_up_to_date, centre, settings_for


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A small file system in memory, and a function that gives it another size.

    Databases are made on it as the program does, which needs less room at first than the copy of other tests.
    """
    monkeypatch.setattr(master, "open_file", new_databases.as_the_program_does)
    folder = tmp_path / "disk"
    folder.mkdir()

    def resize(kib: int, *options: str) -> None:
        given = ",".join([*options, f"size={kib}k"])
        subprocess.run(["mount", "-t", "tmpfs", "-o", given, "tmpfs", folder], check=True)

    try:
        resize(64)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root can mount a file system")
    yield folder, resize
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("kib", [300, 1_000, 1_500, 3_000])
def test_a_refresh_on_a_full_disk_says_so_and_is_finished_once_there_is_space(disk, tmp_path, kib):
    folder, resize = disk
    resize(kib, "remount")
    with centre(days=20) as sandbox:
        settings = settings_for(sandbox, tmp_path, data=folder / "data")

        failed = bring_up_to_date(settings, sandbox, since=NOW - timedelta(days=21))

        assert [(type(error), exit_code(error)) for error in failed.errors] == [(DiskFault, 3)]
        assert "the disk is" in str(failed.errors[0])
        assert str(folder) in str(failed.errors[0])
        assert (failed.status == "partial") == (sum(failed.tables.values()) > 0) == (kib > 300)

        resize(100_000, "remount")
        done = bring_up_to_date(settings, sandbox, since=NOW - timedelta(days=21))
        assert done.status == "complete", done.errors
        assert_holds_the_truth(settings, sandbox)
