"""`dbt sources`: a description of everything in the published file, and tests that hold on it."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml

import maestro_analytics as ma
from maestro_analytics.warehouse.data_dictionary import LEADS_TO, dbt_sources
from tests.commands import run

PROFILE = """
qa:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: {folder}/own.duckdb
      attach: [{{path: {database}, alias: maestro, read_only: true}}]
"""
PROJECT = "name: qa\nversion: '1.0'\nconfig-version: 2\nprofile: qa\n"
MODEL = """
{{ config(materialized='table') }}
select agent_name, count(*) as grades, avg(score_percent) as qa_score
from {{ source('maestro', 'ordinary_grades') }} group by agent_name
"""


@pytest.fixture
def written(refreshed):
    """The file that is described, and the text of its sources.yml."""
    _, settings = refreshed
    with ma.open(settings.database) as qa:
        return settings.database, dbt_sources(qa)


def described(text):
    """(source, schema, table, column) -> (description, its tests)."""
    found = {}
    for source in yaml.safe_load(text)["sources"]:
        assert source["database"] == "maestro"
        for table in source["tables"]:
            for column in table["columns"]:
                place = (source["name"], source["schema"], table["name"], column["name"])
                found[place] = (column["description"], column.get("data_tests", []))
    return found


def test_every_column_of_the_file_is_described(written):
    database, text = written
    with duckdb.connect(database, read_only=True) as connection:
        query = "select schema_name, table_name, column_name from duckdb_columns() where not internal"
        present = set(connection.execute(query).fetchall())
    found = described(text)
    assert {place[1:] for place in found} == present
    assert [place for place, (description, _) in found.items() if not description] == []


def test_the_tests_hold_on_the_file(written):
    database, text = written
    counts = dict.fromkeys(("not_null", "unique", "accepted_values", "relationships"), 0)
    broken = []
    with duckdb.connect(database, read_only=True) as connection:
        for (_, schema, table, column), (_, tests) in described(text).items():
            values = f'select "{column}" as v from {schema}.{table}'
            for test in tests:
                kind, given = (test, {}) if isinstance(test, str) else next(iter(test.items()))
                counts[kind] += 1
                rows, parameters = _violations(kind, given.get("arguments"), values)
                if found := connection.execute(rows, parameters).fetchall():
                    broken.append((kind, schema, table, column, found[:3]))
    assert broken == []
    assert counts["relationships"] == len(LEADS_TO)
    assert counts["unique"] >= 8
    assert counts["not_null"] >= 40
    assert counts["accepted_values"] >= 5


def _violations(kind, given, values):
    """The rows that dbt's test of that kind would find."""
    if kind == "not_null":
        return f"from ({values}) where v is null", []
    if kind == "unique":
        return f"select v from ({values}) where v is not null group by v having count(*) > 1", []
    if kind == "accepted_values":
        return f"from ({values}) where v not in (select unnest($1::varchar[]))", [given["values"]]
    _, table = json.loads(given["to"].removeprefix("source(").removesuffix(")").replace("'", '"').join("[]"))
    return f"from ({values}) where v is not null and v not in (select {given['field']} from main.{table})", []


def test_the_command_writes_it_to_standard_output_or_a_file(written, tmp_path):
    printed = run(tmp_path, "dbt", "sources")
    assert printed.stdout == written[1]
    done = run(tmp_path, "dbt", "sources", "--output", "sources.yml")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "sources.yml").read_text(encoding="utf-8") == written[1]


def test_a_dbt_project_reads_the_file_and_its_tests_pass(written, tmp_path, installed_beside):
    """dbt 1.10; later versions load a part from elsewhere while they are installed."""
    folder = installed_beside("dbt-duckdb-1.10", "-r", str(Path(__file__).with_name("dbt-requirements.txt")))
    database, text = written
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "sources.yml").write_text(text, encoding="utf-8")
    (tmp_path / "models" / "agents_by_score.sql").write_text(MODEL, encoding="utf-8")
    (tmp_path / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (tmp_path / "profiles.yml").write_text(PROFILE.format(folder=tmp_path, database=database), encoding="utf-8")

    command = [
        sys.executable,
        "-S",
        "-m",
        "dbt.cli.main",
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "build",
    ]
    given = {"PYTHONPATH": str(folder), "HOME": str(tmp_path), "DBT_PROFILES_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "ERROR=0" in done.stdout
    assert "Deprecated functionality" not in done.stdout
    with duckdb.connect(Path(tmp_path) / "own.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*) > 0 from agents_by_score").fetchall() == [(True,)]
