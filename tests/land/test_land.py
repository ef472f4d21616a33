"""`ma.land` and `maestro-analytics land`: export files that were obtained another way."""

import errno
import json
import os
import resource
from datetime import UTC, datetime
from pathlib import Path

import pytest

import maestro_analytics as ma
from maestro_analytics.errors import DiskFault, InvalidArgument, SettingsError
from maestro_analytics.land_files import LandReport
from maestro_analytics.settings import Settings
from maestro_analytics.warehouse import Master, steps
from maestro_analytics.warehouse.replay import replay
from tests.commands import run
from tests.warehouse.data_folder import (
    KEY,
    SURVEY,
    TOTAL,
    DataFolder,
    csv_text,
    everything,
    raw_zip,
    whole_grade,
    zipped,
)

GROUPS = 'group_name,group_id,agent_name,agent_email,agent_ids,available\nEmail,g1,Jo,jo@example.com,"{}",True\n'
WEEK = {"since": "2026-01-01", "until": "2026-01-08"}


def land(folder: Path, *paths: Path, **options: object) -> LandReport:
    return ma.land(paths, settings=Settings(_env_file=None, data=folder / "data"), **options)


def written(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with ma.open(folder / "data" / "maestro.duckdb") as qa:
        return qa.sql(query).rows()


def contents(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with Master.open(folder / "data") as master:
        data = DataFolder.__new__(DataFolder)
        data.master = master
        return everything(data, leaving_out=["landed_at", "landing"])


def test_a_zip_lands_as_an_export_does_without_a_token(tmp_path):
    content = raw_zip(**whole_grade(), csat=[SURVEY])
    report = land(tmp_path, written(tmp_path, "from a colleague.zip", content))

    assert (report.status, report.errors, report.quarantined) == ("complete", [], 0)
    assert report.tables == dict.fromkeys(
        ("total_scores", "section_scores", "individual_answers", "annotations", "csat"), 1
    )
    assert rows(tmp_path, "select grade_key, is_whole, is_covered, csat_score from grades") == [(KEY, True, None, 4.0)]
    (kept,) = (tmp_path / "data" / "exports").glob("raw-*.zip")
    assert kept.read_bytes() == content
    assert rows(tmp_path, "from state.coverage") == []


@pytest.mark.parametrize("name", ["source=all/agent_id=x", "QA [prod] a*b; it's {1,2}"])
def test_a_data_folder_of_any_name_gives_the_values_of_the_files(tmp_path, name):
    land(tmp_path / name, written(tmp_path / name, "a.zip", raw_zip(**whole_grade(), csat=[SURVEY])))
    with Master.open(tmp_path / name / "data") as master:
        list(replay(master))
        master.publish()
    assert rows(tmp_path / name, "select grade_key, source, agent_id, csat_score from grades") == [
        (KEY, "zendesk", "0072999", 4.0)
    ]


def test_a_data_folder_that_duckdb_cannot_open_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="MAESTRO_DATA"):
        land(tmp_path / "wh?t", written(tmp_path, "a.zip", raw_zip(**whole_grade())))


def test_the_same_bytes_change_nothing_also_under_another_name(tmp_path):
    content = raw_zip(**whole_grade())
    land(tmp_path, written(tmp_path, "a.zip", content))
    before = contents(tmp_path)

    report = land(tmp_path, written(tmp_path, "b.zip", content), **WEEK)

    assert [file.result for file in report.files] == ["unchanged"]
    assert contents(tmp_path) == before


def test_what_landed_but_could_not_be_published_is_published_when_it_is_landed_again(tmp_path, monkeypatch):
    def full(step: str) -> None:
        if step == "copied":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    land(tmp_path, written(tmp_path, "a.zip", raw_zip(**whole_grade())))
    second = written(tmp_path, "b.zip", raw_zip(**whole_grade(gradable_id="7")))
    with monkeypatch.context() as patched:
        patched.setattr(steps, "reached", full)
        with pytest.raises(OSError, match="No space"):
            land(tmp_path, second)
    assert rows(tmp_path, "select count(*) from grades") == [(1,)]

    assert [file.result for file in land(tmp_path, second).files] == ["unchanged"]
    assert rows(tmp_path, "select count(*) from grades") == [(2,)]
    published = (tmp_path / "data" / "maestro.duckdb").stat().st_mtime_ns
    land(tmp_path, second)
    assert (tmp_path / "data" / "maestro.duckdb").stat().st_mtime_ns == published


def test_a_file_that_does_not_fit_on_the_disk_leaves_nothing_and_names_the_folder(tmp_path):
    large = csv_text("total_scores", [TOTAL | {"gradable_id": str(number)} for number in range(20_000)])
    path = written(tmp_path, "large.csv", large)
    land(tmp_path, written(tmp_path, "a.zip", raw_zip(**whole_grade())))
    kept = list((tmp_path / "data" / "exports").iterdir())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(DiskFault, match=r"exports/.* cannot be written") as fault:
            land(tmp_path, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "large.csv" not in str(fault.value)
    assert list((tmp_path / "data" / "exports").iterdir()) == kept

    assert land(tmp_path, path).tables == {"total_scores": 20_000}


def test_replay_gives_the_same_tables(tmp_path):
    bad = [TOTAL | {"gradable_id": str(number)} for number in range(9)]
    bad[2] = bad[2] | {"rubric_score": "seven"}
    land(tmp_path, written(tmp_path, "a.zip", raw_zip(**whole_grade())), **WEEK)
    land(tmp_path, written(tmp_path, "totals.csv", csv_text("total_scores", bad)))
    land(tmp_path, written(tmp_path, "groups.csv", GROUPS.format("1,2")))
    before = contents(tmp_path)

    with Master.open(tmp_path / "data") as master:
        list(replay(master))
        master.publish()

    assert contents(tmp_path) == before


def test_a_file_never_overwrites_what_an_export_asked_for_later_has_brought(tmp_path):
    data = DataFolder(tmp_path / "data")
    data.land_rows(week=4, total_scores=[TOTAL | {"rubric_score": "90"}], csat=[SURVEY | {"csat_score": "5"}])
    data.land(GROUPS.format("1,2").encode(), kind="groups", week=4)
    data.master.close()

    report = land(
        tmp_path,
        written(tmp_path, "old.zip", raw_zip(total_scores=[TOTAL], csat=[SURVEY])),
        written(tmp_path, "groups.csv", GROUPS.format("3")),
    )

    assert rows(tmp_path, "select rubric_score from total_scores") == [(90.0,)]
    assert rows(tmp_path, "select csat_score from csat") == [(5.0,)]
    assert rows(tmp_path, "select agent_ids from agent_groups") == [(["1", "2"],)]
    assert [line for line in report.warnings if "asked for later" in line] == [
        f"1 rows of {table} did not land: an export asked for later has brought them"
        for table in ("total_scores", "csat", "agent_groups")
    ]


def test_asked_at_says_that_a_file_is_newer_than_what_is_there(tmp_path):
    data = DataFolder(tmp_path / "data")
    data.land_rows(week=4, total_scores=[TOTAL])
    data.land(GROUPS.format("1,2").encode(), kind="groups", week=4)
    data.master.close()
    new = written(tmp_path, "new.zip", raw_zip(total_scores=[TOTAL | {"rubric_score": "90"}]))

    land(tmp_path, new, written(tmp_path, "groups.csv", GROUPS.format("3")), asked_at="2026-02-01")

    assert rows(tmp_path, "select rubric_score from total_scores") == [(90.0,)]
    assert rows(tmp_path, "select agent_ids from agent_groups") == [(["3"],)]
    assert rows(tmp_path, "select replaced_by like 'file-%', rubric_score from grade_history") == [(True, 70.0)]


def test_the_order_of_landing_makes_no_difference(tmp_path):
    older = raw_zip(total_scores=[TOTAL | {"date_graded": "", "date_reported_as": "2026-01-02T00:00:00Z"}])
    newer = raw_zip(
        total_scores=[TOTAL | {"date_graded": "", "date_reported_as": "2026-01-03T00:00:00Z", "rubric_score": "90"}]
    )
    for folder, order in (("a", (older, newer)), ("b", (newer, older))):
        for number, content in enumerate(order):
            land(tmp_path / folder, written(tmp_path / folder, f"{number}.zip", content))
        assert rows(tmp_path / folder, "select rubric_score from total_scores") == [(90.0,)]


def test_a_period_counts_as_covered_when_it_is_named_and_all_files_landed(tmp_path):
    one = written(tmp_path, "one.zip", raw_zip(**whole_grade()))
    other = written(tmp_path, "other.zip", raw_zip(**whole_grade(gradable_id="7")))
    land(tmp_path, one, other, **WEEK)

    covered = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC))
    assert rows(tmp_path, "select kind, window_start, window_end from state.coverage") == [("raw", *covered)]
    assert rows(tmp_path, "select distinct is_covered from grades") == [(True,)]


def test_a_plain_file_that_is_refused_is_told_of_once(tmp_path):
    spoilt = [TOTAL | {"gradable_id": "5.31E+06"}] * 9
    report = land(tmp_path, written(tmp_path, "saved again.csv", csv_text("total_scores", spoilt)))
    assert [type(error).__name__ for error in report.errors] == ["TooManyBadRows"]


def test_a_period_with_a_refused_file_is_not_covered(tmp_path):
    bad = written(tmp_path, "bad.zip", zipped({"total_scores.csv": csv_text("total_scores", [TOTAL])}))
    good = written(tmp_path, "good.zip", raw_zip(**whole_grade(gradable_id="7")))
    report = land(tmp_path, bad, written(tmp_path, "scores.csv", csv_text("total_scores", [TOTAL])), good, **WEEK)

    assert report.status == "partial"
    assert rows(tmp_path, "from state.coverage") == []


@pytest.mark.parametrize(
    ("period", "remedy"), [({}, "--since T`, with T before its first grade."), (WEEK, "--since 2026-01-01`.")]
)
def test_an_export_that_lacks_a_file_tells_what_brings_it(tmp_path, period, remedy):
    """No refresh asks for it by itself: it knows neither the time of the file nor that it should have it."""
    land(tmp_path, written(tmp_path, "whole.zip", raw_zip(**whole_grade(), csat=[SURVEY])))
    newer = whole_grade(date_graded="2026-01-03T00:00:00Z") | {"csat": [SURVEY]}
    lacking = {f"{table}.csv": csv_text(table, its_rows) for table, its_rows in newer.items() if table != "annotations"}

    (error,) = land(tmp_path, written(tmp_path, "lacking.zip", zipped(lacking)), **period).errors

    assert str(error).startswith("lacking.zip has no usable annotations file, so earlier rows of annotations stay")
    assert str(error).endswith("land all of its files together, or run `maestro-analytics refresh --again " + remedy)
    assert rows(tmp_path, "select is_whole from grades") == [(False,)]
    for table, its_rows in newer.items():
        written(tmp_path / "unpacked", f"{table}.csv", csv_text(table, its_rows))
    assert land(tmp_path, tmp_path / "unpacked").status == "complete"
    assert rows(tmp_path, "select is_whole from grades") == [(True,)]


def test_total_scores_alone_land_and_leave_the_other_tables_as_they_are(tmp_path):
    land(tmp_path, written(tmp_path, "whole.zip", raw_zip(**whole_grade())))
    again = TOTAL | {"rubric_score": "90", "date_graded": "2026-01-03T00:00:00Z"}
    alone = csv_text("total_scores", [again, TOTAL | {"gradable_id": "7"}])

    report = land(tmp_path, written(tmp_path, "scores.csv", alone))

    assert (report.status, report.tables) == ("complete", {"total_scores": 2})
    assert rows(tmp_path, "select gradable_id, rubric_score, is_whole from grades order by 1") == [
        ("5310985", 90.0, False),
        ("7", 70.0, True),
    ]
    assert rows(tmp_path, "select count(*) from individual_answers") == [(1,)]


def test_the_csvs_of_one_export_in_a_folder_land_together(tmp_path):
    for week, ticket in (("2026-01-01", "1"), ("2026-01-08", "2")):
        for table, its_rows in whole_grade(gradable_id=ticket).items():
            written(tmp_path / "exports", f"{week} {table.replace('_', '-')}.csv", csv_text(table, its_rows))

    report = land(tmp_path, tmp_path / "exports")

    assert (report.status, len(report.files)) == ("complete", 2)
    assert report.tables == dict.fromkeys(("total_scores", "section_scores", "individual_answers", "annotations"), 2)
    assert [file.result for file in land(tmp_path, tmp_path / "exports").files] == ["unchanged", "unchanged"]


def test_answers_alone_are_refused(tmp_path):
    answers = csv_text("individual_answers", whole_grade()["individual_answers"])
    report = land(tmp_path, written(tmp_path, "answers.csv", answers))

    assert report.status == "failed"
    assert "no usable total_scores file" in str(report.errors[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": "2026-01-01"}, "together"),
        ({"asked_at": "2999-01-01"}, "in the future"),
        ({"kind": "grades"}, "choose from raw, groups, audit"),
    ],
)
def test_values_that_cannot_be_used_are_refused_before_anything_happens(tmp_path, options, words):
    with pytest.raises(InvalidArgument, match=words):
        land(tmp_path, written(tmp_path, "a.zip", raw_zip()), **options)
    assert not (tmp_path / "data").exists()


def test_a_file_of_another_account_is_refused_and_of_strangers_told(tmp_path):
    def file(name: str, account: str, agent: str) -> Path:
        total = TOTAL | {"agent_id": agent, "agent_email": f"{agent}@example.com"}
        return written(
            tmp_path, name, raw_zip(**whole_grade() | {"total_scores": [total | {"target_answer_id": account}]})
        )

    ours = file("ours.zip", "16906fb5ce9d57646fa38362_1_AatxWWtXWKcfiN34E_2_GRADER_grading", "0072999")
    land(tmp_path, ours)
    before = contents(tmp_path)
    other = file("other.zip", "26906fb5ce9d57646fa38362_1_AatxWWtXWKcfiN34E_2_GRADER_grading", "0072999")
    report = land(tmp_path, other)
    assert [(type(error).__name__, file.result) for error, file in zip(report.errors, report.files, strict=True)] == [
        ("AnotherAccount", "refused")
    ]
    assert contents(tmp_path) == before
    assert len(list((tmp_path / "data" / "exports").iterdir())) == 1
    strangers = written(tmp_path, "strangers.csv", GROUPS.format("99").replace("jo@", "someone.else@"))
    assert "nobody in" in " ".join(land(tmp_path, strangers).warnings)


def test_the_command_lands_a_folder_and_prints_one_object(tmp_path):
    for number in range(3):
        written(tmp_path / "exports", f"{number}.zip", raw_zip(**whole_grade(gradable_id=str(number))))
    written(tmp_path / "exports", "readme.md", "not an export")

    done = run(tmp_path, "land", "exports", "--json")
    report = json.loads(done.stdout)

    assert (done.returncode, report["exit_code"], report["status"]) == (0, 0, "complete")
    assert report["tables"]["total_scores"] == 3
    assert "3 of 3: 2.zip: 1 total_scores" in done.stderr


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("absent.zip", None, 2),
        ("notes.csv", "a,b\n1,2\n", 6),
        ("scores.csv", csv_text("total_scores", [TOTAL | {"rubric_score": "x"}] * 9), 5),
        ("part.zip", zipped({"total_scores.csv": csv_text("total_scores", [TOTAL])}), 6),
    ],
    ids=["absent", "unknown table", "too many bad rows", "incomplete zip"],
)
def test_exit_codes_are_those_of_refresh(tmp_path, name, content, code):
    if content is not None:
        written(tmp_path, name, content)
    done = run(tmp_path, "land", name, "--json")

    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["exit_code"] == code


def test_refused_rows_are_in_the_quarantine_of_the_published_file(tmp_path):
    bad = [TOTAL | {"gradable_id": str(number)} for number in range(9)]
    bad[2] = bad[2] | {"rubric_score": "seven"}
    report = land(tmp_path, written(tmp_path, "totals.csv", csv_text("total_scores", bad)))

    assert report.quarantined == 1
    assert rows(tmp_path, "select table_name, line, column_name from state.quarantine") == [
        ("total_scores", 4, "rubric_score")
    ]
    assert ma.read_export(tmp_path / "totals.csv").refused["line"].to_list() == [4]
