"""Everything again from the kept files gives the same, to the row."""

from datetime import UTC, datetime

import pytest

from maestro_analytics.errors import MaestroError, TooManyBadRows
from maestro_analytics.warehouse import steps
from maestro_analytics.warehouse.replay import replay
from tests.warehouse.data_folder import (
    ANSWER,
    NOTE,
    SECTION,
    SURVEY,
    TOTAL,
    DataFolder,
    csv_text,
    everything,
    raw_zip,
    whole_grade,
)

TAKEN = datetime(2026, 2, 1, 12, 0, 0, 123456, UTC)
VIEWS = "select view_name, comment from duckdb_views() where not internal order by all"


def busy_history(data):
    """Re-grades, deletions, an older export late, refused rows and files, drift, groups, audit, lists, nothing."""
    many = [TOTAL | {"gradable_id": f"m{number}"} for number in range(100)]
    data.land_rows(seq=1, **whole_grade(), csat=[SURVEY])
    data.land_rows(seq=2, week=1, total_scores=[*many, TOTAL | {"rubric_score": "?"}], annotations=[NOTE])
    data.land_rows(seq=6, week=2, total_scores=[TOTAL | {"rubric_score": "90", "channel": "chat"}], csat=[SURVEY])
    data.land_rows(seq=5, week=3, total_scores=[TOTAL | {"rubric_score": "80"}, TOTAL | {"gradable_id": "5"}])
    data.land_rows(
        seq=7, week=4, total_scores=[TOTAL | {"gradable_id": "m7", "is_deleted": "1"}], individual_answers=[ANSWER]
    )
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "bad"}], annotations=[NOTE], week=5, seq=8)
    for ids in ("1,2", "0072999,2"):
        data.land(csv_text("agent_groups", [{"group_id": "g", "agent_ids": ids}]).encode(), kind="groups")
    activity = {"activity_id": "a", "time_stamp": "2026-01-02T00:00:00Z", "description": ""}
    for email in ("x", "y"):
        data.land(csv_text("audit_logs", [activity | {"user_email": email}]).encode(), kind="audit")
    nothing = data.master.ledger.plan("raw", None, TAKEN)
    data.master.ledger.empty(nothing.seq, TAKEN)
    data.master.land(nothing, None)
    records = [{"id": str(number)} for number in range(100)]
    data.master.land_coaching("todos", [*records, {"title": "no id"}], taken_at=TAKEN)
    data.master.land_coaching("coaching_points", [{"id": "p", "mood": "good"}], taken_at=TAKEN)
    run = data.master.start_refresh(since=TAKEN, until=TAKEN, kinds=["raw"], at=TAKEN)
    data.master.finish_refresh(run, status="complete", requests=3, quarantined=2, error=None, at=TAKEN)
    data.master.resolve_people()


def test_replay_gives_the_same_to_the_row_before_and_after_publishing(data):
    busy_history(data)
    before = everything(data)
    outcomes = list(replay(data.master))

    assert everything(data) == before
    assert len(before["main.grade_history"]) > 1
    assert len(before["state.quarantine"]) == 2
    assert [outcome.error for outcome in outcomes] == [None] * len(outcomes)
    assert [type(file.error) for outcome in outcomes for file in outcome.landed.refused] == [TooManyBadRows]

    data.master.publish()
    published, views = everything(data), data.rows(VIEWS)
    assert "grades" in {name for name, _ in views}
    list(replay(data.master))
    data.master.publish()
    assert everything(data) == published
    assert data.rows(VIEWS) == views
    data.land_rows(week=9, **whole_grade())


def test_small_exports_that_follow_each_other_land_together_with_the_result_of_one_by_one(data, monkeypatch):
    again, older = {"rubric_score": "90"}, {"rubric_score": "10", "date_graded": '="2026-01-01 10:00:00"'}
    deleted = TOTAL | {"gradable_id": "gone", "is_deleted": "1"}
    data.land_rows(total_scores=[TOTAL, deleted], section_scores=[SECTION], annotations=[NOTE], csat=[SURVEY])
    data.land_rows(week=1, total_scores=[TOTAL | again, deleted | {"is_deleted": "0"}], csat=[SURVEY, SURVEY])
    data.land_rows(week=2, total_scores=[TOTAL | older, deleted], csat=[SURVEY | {"csat_score": "5"}])
    nothing = data.master.ledger.plan("raw", None, TAKEN)
    data.master.ledger.empty(nothing.seq, TAKEN)
    data.master.land(nothing, None)
    data.land_rows(week=3, total_scores=[deleted])
    data.land_rows(week=4, total_scores=[TOTAL | {"is_deleted": "0"}], individual_answers=[ANSWER, ANSWER])
    activity = {"activity_id": "a", "time_stamp": "2026-01-02T00:00:00Z", "description": ""}
    for emails in ("xx", "y"):
        rows = [activity | {"user_email": email} for email in emails]
        data.land(csv_text("audit_logs", rows).encode(), kind="audit")
    data.master.resolve_people()
    before = everything(data)
    steps_reached = []
    monkeypatch.setattr(steps, "reached", steps_reached.append)
    outcomes = list(replay(data.master))

    assert everything(data) == before
    assert steps_reached.count("committed") == 2
    assert len(before["main.grade_history"]) == 2
    assert [outcome.landed.rows.get("total_scores") for outcome in outcomes] == [1, 2, 0, None, 0, 1, None, None]
    assert [outcome.landed.row_counts["csat"].repeated for outcome in outcomes[:3]] == [0, 1, 0]


def test_an_export_that_lands_beside_empty_ones_takes_no_rows_of_those_that_were_read_with_it(data, monkeypatch):
    other = TOTAL | {"channel": "chat"}
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(
        week=1, total_scores=[other | {"rubric_score": "80"}, other | {"gradable_id": "2", "is_deleted": "1"}]
    )
    nothing = data.master.ledger.plan("raw", None, TAKEN)
    data.master.ledger.empty(nothing.seq, TAKEN)
    data.master.land(nothing, None)
    data.land_rows(week=2, total_scores=[TOTAL | {"gradable_id": "3"}])
    data.land_rows(week=3, total_scores=[other | {"rubric_score": "90", "is_deleted": "0"}])
    data.master.resolve_people()
    before = everything(data)
    steps_reached = []
    monkeypatch.setattr(steps, "reached", steps_reached.append)
    list(replay(data.master))

    assert everything(data) == before
    assert steps_reached.count("committed") == 4
    assert len(before["main.grade_history"]) == 2


def test_a_new_column_is_told_also_where_exports_do_not_land_together(data):
    data.land_rows(total_scores=[TOTAL | {"rubric_score": "?"}, TOTAL | {"gradable_id": "2"}])
    for week in (8, 9):
        data.land_rows(week=week, total_scores=[TOTAL | {"channel": "chat"}])

    assert [len(outcome.landed.warnings) for outcome in replay(data.master)] == [0, 1, 0]


def test_an_unexpected_error_of_exports_that_land_together_is_told_and_they_land_in_smaller_groups(
    data, monkeypatch, caplog
):
    for week in range(4):
        data.land_rows(week=week, total_scores=[TOTAL | {"rubric_score": str(week)}])
    data.master.resolve_people()
    before = everything(data)
    faults = iter([ZeroDivisionError("a bug"), KeyError("another")])

    def fail_twice(step):
        if step == "grades classified" and (fault := next(faults, None)):
            raise fault

    monkeypatch.setattr(steps, "reached", fail_twice)
    outcomes = list(replay(data.master))

    assert everything(data) == before
    assert [outcome.landed.refused for outcome in outcomes] == [[]] * 4
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "4 exports" in warning
    assert "ZeroDivisionError: a bug" in warning


def test_replay_when_both_databases_are_lost_reads_what_is_kept(tmp_path):
    data = DataFolder(tmp_path / "data")
    data.land_rows(**whole_grade())
    data.land_rows(week=1, total_scores=[TOTAL | {"rubric_score": "90"}])
    data.master.land_coaching("todos", [{"id": "t"}], taken_at=TAKEN)
    tables = ("main.total_scores", "main.annotations", "main.todos", "state.grade_versions")
    before = everything(data)
    data.master.close()
    (tmp_path / "data" / "master" / "maestro.duckdb").unlink()

    data = DataFolder(tmp_path / "data")
    list(replay(data.master))
    after = everything(data)
    data.master.close()
    assert {name: after[name] for name in tables} == {name: before[name] for name in tables}
    assert len(after["main.grade_history"]) == 1


def test_replay_refuses_to_lose_rows_whose_file_is_gone(data):
    data.land_rows(total_scores=[TOTAL])
    data.land_rows(week=1, total_scores=[TOTAL | {"gradable_id": "2"}])
    next(data.folder.glob("exports/*000001*")).unlink()
    with pytest.raises(MaestroError, match="would lose"):
        list(replay(data.master))
    assert data.column("select count(*) from total_scores") == [2]

    outcomes = list(replay(data.master, without_missing=True))
    assert [str(outcome.error)[:7] if outcome.error else None for outcome in outcomes] == [str(data.folder)[:7], None]
    assert data.column("select gradable_id from total_scores") == ["2"]
    assert len(data.master.coverage("raw")) == 1


def test_a_replay_that_is_given_up_has_changed_nothing(data):
    busy_history(data)
    before = everything(data)
    outcomes = replay(data.master)
    next(outcomes)
    next(outcomes)
    outcomes.close()

    assert everything(data) == before
    assert not list((data.folder / "master").glob("*.new*"))


def damage_first(data):
    next(data.folder.glob("exports/*000001*")).write_bytes(b"PK\x03\x04 no more")


def refuse_first(data):
    bad = [TOTAL | {"gradable_id": f"{number}", "rubric_score": "?"} for number in range(9)]
    next(data.folder.glob("exports/*000001*")).write_bytes(raw_zip(total_scores=[TOTAL, *bad]))


def damage_list(data):
    (data.folder / "exports" / "coaching-todos.ndjson.gz").write_bytes(b"no more")


@pytest.mark.parametrize("spoil", [damage_first, refuse_first, damage_list])
def test_a_replay_that_can_no_longer_read_what_had_landed_changes_nothing_unless_asked_to(data, spoil):
    data.land_rows(total_scores=[TOTAL])
    data.land(raw_zip(total_scores=[TOTAL | {"gradable_id": "2"}]), week=1)
    data.master.land_coaching("todos", [{"id": "t"}], taken_at=TAKEN)
    data.master.resolve_people()
    before = everything(data)
    spoil(data)
    with pytest.raises(MaestroError, match="can no longer be read"):
        list(replay(data.master))
    assert everything(data) == before

    outcomes = list(replay(data.master, without_missing=True))
    bad = [bool(outcome.error or outcome.landed.refused) for outcome in outcomes]
    assert bad == ([False, False, True] if spoil is damage_list else [True, False, False])
    expected = (["2", "5310985"], []) if spoil is damage_list else (["2"], ["t"])
    assert data.column("select gradable_id from total_scores order by 1") == expected[0]
    assert data.column("select id from todos") == expected[1]
    list(replay(data.master))


def test_an_error_that_nobody_expects_while_a_file_is_read_loses_no_rows(data, monkeypatch):
    data.land_rows(total_scores=[TOTAL])
    data.master.resolve_people()
    before = everything(data)
    with monkeypatch.context() as patched:
        patched.setattr("maestro_analytics.tables.reader.find_header", lambda *_, **__: 1 / 0)
        with pytest.raises(MaestroError, match="can no longer be read"):
            list(replay(data.master))
    assert everything(data) == before
    list(replay(data.master))
    assert everything(data) == before
