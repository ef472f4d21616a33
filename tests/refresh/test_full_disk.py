"""A disk that is full in the course of a refresh: one clear error, what had landed stays, and a rerun finishes."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from maestro_analytics.cli.exit_codes import exit_code
from maestro_analytics.errors import DiskFault, SettingsError
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


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes: what stands for a full disk where nobody can mount one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def sizes(folder):
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("size", [60_000, 150_000, 600_000, 3_000_000])
def test_hourly_runs_on_a_full_disk_name_the_folder_leave_nothing_more_and_are_made_good(refreshed, size):
    sandbox, settings = refreshed
    sandbox.advance(days=2)
    published = settings.database.read_bytes()
    left = []
    for _ in range(3):
        with largest_file(size):
            report = bring_up_to_date(settings, sandbox)
        assert {exit_code(error) for error in report.errors} == {3}
        for error in report.errors:
            assert str(settings.data if isinstance(error, DiskFault) else settings.cache) in str(error)
            assert "ree space" in str(error)
        assert settings.database.read_bytes() == published
        left.append(sizes(settings.data))
        sandbox.advance(hours=1)
    # Each try adds its lines to the ledger and its snapshot of the groups to the kept files.
    assert sum(left[2].values()) - sum(left[1].values()) < 64_000
    assert not [path for path in left[2] if path.suffix == ".part" and left[2][path]]

    assert bring_up_to_date(settings, sandbox).status == "complete"
    assert_holds_the_truth(settings, sandbox)


def test_a_pacing_database_that_cannot_grow_names_its_folder(refreshed):
    sandbox, settings = refreshed
    with largest_file(8_000), pytest.raises(SettingsError, match="free space there, or set MAESTRO_CACHE") as refused:
        bring_up_to_date(settings.model_copy(update={"cache": settings.cache / "new"}), sandbox)
    assert str(settings.cache / "new") in str(refused.value)
