"""Files with bad rows, missing columns and new ones: what lands, what is kept aside, what the run says."""

from datetime import timedelta

import polars as pl
import pytest

import maestro_analytics as ma
from maestro_analytics.errors import SchemaMismatch, TooManyBadRows
from tests.refresh.conftest import (
    NOW,
    TRUE_TABLES,
    assert_holds_the_truth,
    bring_up_to_date,
    centre,
    comparable,
    settings_for,
)

SINCE = NOW - timedelta(days=15)


def test_bad_rows_within_the_budget_are_kept_aside_and_the_rest_lands(tmp_path):
    with centre(faults=["bad-rows"], agents=40, days=14) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
        large = ("individual_answers", "section_scores", "total_scores")
        with ma.open(settings.database) as qa:
            aside = qa.sql("select * from state.quarantine where not file_refused")
            landed = {table: comparable(qa.sql(f"from {table}"), table) for table in large}
        assert report.quarantined == aside.height > 0
        assert aside["raw"].str.len_chars().min() > 0
        assert aside["line"].min() > 1
        assert landed["individual_answers"].equals(
            comparable(sandbox.truth.individual_answers, "individual_answers"), null_equal=True
        )


def test_a_ragged_row_is_kept_aside_with_its_text(tmp_path):
    with centre(faults=["ragged-row"], agents=40, days=14) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
        with ma.open(settings.database) as qa:
            ragged = qa.sql("from state.quarantine where table_name = 'individual_answers'")
            answers = comparable(qa.sql("from individual_answers"), "individual_answers")
        assert set(ragged["column_name"].to_list()) == {None}
        assert ragged["reason"].str.contains("fields").all()
        assert answers.equals(comparable(sandbox.truth.individual_answers, "individual_answers"), null_equal=True)


def test_a_file_over_the_budget_does_not_land_and_its_time_stays_missing(tmp_path):
    with centre(faults=["too-many-bad-rows=400"], days=14) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
        assert report.status == "partial"
        assert {type(error) for error in report.errors} == {TooManyBadRows}
        assert report.tables["total_scores"] == 0
        assert report.tables["individual_answers"] == 0  # no grade lands without its total score
        assert report.gaps == [{"kind": "raw", "window_start": SINCE.isoformat(), "window_end": NOW.isoformat()}]

        # A rerun, once the vendor has mended its files, brings them.
        sandbox.faults.switch_off("too-many-bad-rows")
        assert bring_up_to_date(settings, sandbox).status == "complete"
        assert_holds_the_truth(settings, sandbox, TRUE_TABLES[:5])


def test_a_file_without_an_identity_column_is_refused_and_the_others_land(tmp_path):
    with centre(faults=["missing-identity"], days=14) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=("raw",))
        assert {type(error) for error in report.errors} == {SchemaMismatch}
        assert all("question_id" in str(error) for error in report.errors)
        assert_holds_the_truth(settings, sandbox, ("total_scores", "section_scores", "annotations", "csat"))
        with ma.open(settings.database) as qa:
            assert qa.sql("from individual_answers").height == 0


def test_an_unknown_column_is_kept_and_told(tmp_path):
    with centre(faults=["unknown-column"], days=14) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(settings, sandbox, since=SINCE)
        assert report.status == "complete"
        assert any("has a new column" in warning for warning in report.warnings)
        assert_holds_the_truth(settings, sandbox)
        with ma.open(settings.database) as qa:
            changes = qa.sql("from state.schema_changes where column_name = 'sentiment_v2'")
            grown = changes.filter(pl.col("table_name") == "total_scores")["column_name"].item()
            kept = qa.sql("from total_scores")[grown]
        assert changes["table_name"].n_unique() == changes.height == 7
        assert kept.dtype == pl.String
        assert 0 < kept.null_count() < kept.len()


@pytest.mark.parametrize("kinds", [("raw",), ("groups",), ("audit",)])
def test_a_missing_ordinary_column_is_null_and_told(tmp_path, kinds):
    with centre(faults=["missing-column"], days=14) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        report = bring_up_to_date(settings, sandbox, since=SINCE, kinds=kinds)
        assert report.status == "complete"
        assert any("lacks" in warning for warning in report.warnings)
