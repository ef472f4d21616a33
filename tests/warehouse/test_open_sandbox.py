"""Which database is opened: that of the data folder; the sandbox's, with a warning, where only that was refreshed."""

import pytest

import maestro_analytics as ma
from maestro_analytics.errors import EmptyStore
from maestro_analytics.warehouse import Master


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("MAESTRO_DATA", str(tmp_path))
    return tmp_path


def publish(folder):
    with Master.open(folder) as master:
        master.publish()


def test_the_sandbox_is_opened_where_no_account_was_refreshed(data, caplog):
    publish(data / "sandbox")
    with ma.open() as qa:
        assert qa.path == data / "sandbox" / "maestro.duckdb"
    assert [record.message for record in caplog.records] == [
        f"{data}/maestro.duckdb does not exist: using the sandbox's data in {data}/sandbox/maestro.duckdb"
    ]


def test_the_account_is_opened_where_both_were_refreshed(data, caplog):
    publish(data / "sandbox")
    publish(data)
    with ma.open() as qa:
        assert qa.path == data / "maestro.duckdb"
    assert caplog.records == []


@pytest.mark.parametrize("name", ["", "maestro.duckdb"])
def test_a_data_folder_can_be_named_as_well_as_its_file(tmp_path, name):
    publish(tmp_path)
    with ma.open(tmp_path / name) as qa:
        assert qa.path == tmp_path / "maestro.duckdb"


def test_nothing_refreshed_is_an_error_that_names_the_command(data):
    with pytest.raises(EmptyStore, match="maestro-analytics refresh"):
        ma.open()
