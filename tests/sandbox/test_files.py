"""The quirks of real export files, all of them, and files as a stream."""

import re
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.sandbox.faults import Faults
from maestro_analytics.sandbox.files import RENDER, RawSelection, write_raw
from maestro_analytics.sandbox.rows import LABEL, TEXT
from maestro_analytics.sandbox.simulation.timeline import Centre

FILES = ("total_scores", "section_scores", "individual_answers", "annotations", "csat")


@pytest.fixture(scope="module")
def files(calm):
    """Every single-file export, several times over: each comes in another style."""
    return {table: [calm.export(singleFileExport=table) for _ in range(4)] for table in FILES}


@pytest.fixture(scope="module")
def every_text(files):
    return b"".join(content for contents in files.values() for content in contents).decode()


@pytest.mark.parametrize(
    "seen",
    [
        r',="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"',
        r',="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"',
        r',"=""\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"""',
        r',"=""\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"""',
        r",\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
        r",\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        r",Unknown,",
        r",N/A,",
        r",,",
        r',"",',
        r",\d+\.\d+,",
        r",\d\d:\d\d:\d\d,",
        r",\d+\.\d,",
        r"'=SUM",
        r"'@channel",
        r'""',
        "\n\n",
        "👏🏽",
        "still broken.\r\n",
        "'- no greeting\n",
    ],
)
def test_every_kind_of_value_occurs(every_text, seen):
    assert re.search(seen, every_text)


def test_every_style_of_file_occurs(files):
    contents = [content for several in files.values() for content in several]
    marks = [content.startswith(b"\xef\xbb\xbf") for content in contents]
    bare = [content.removeprefix(b"\xef\xbb\xbf") for content in contents]
    ends = [content.endswith(b"\r\n") for content in contents]
    blank = [content.lstrip(b"\r\n") != content for content in bare]
    for seen in (marks, ends, blank):
        assert {True, False} == set(seen)


@pytest.mark.parametrize("table", FILES)
def test_rows_come_in_no_order(files, reading, table):
    first, second = ([row["gradable_id"] for row in reading.rows_of(content)] for content in files[table][:2])
    assert first != sorted(first)
    assert sorted(first) == sorted(second)
    assert first != second


def test_a_file_can_have_a_header_and_no_rows(calm, reading):
    noted = {row["gradable_id"] for row in calm.sandbox.truth.annotations}
    bare = next(
        row
        for row in calm.sandbox.truth.total_scores
        if row["gradable_id"] not in noted
        and row["grade_type"] == "grading"
        and row["date_graded"].microsecond == 0
        and row["source"] != "livechat"
    )
    moment = bare["date_graded"]
    second = timedelta(seconds=1)
    tables = calm.raw(moment - second, moment + second)
    assert [row["gradable_id"] for row in tables["total_scores"]] == [bare["gradable_id"]]
    assert tables["annotations"] == []


@given(st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\x00")), st.integers(0, 5))
def test_any_text_survives_the_writing(reading, value, form):
    for render in (RENDER[TEXT], RENDER[LABEL]):
        line = "a,b,c\n1," + render(value, form) + ",3\n"
        assert [row["b"] for row in reading.rows_of(line.encode())] == [value]


def test_a_large_export_is_written_without_holding_its_answers(tmp_path):
    """Five times the answers take hardly more memory: 100 grades are held at a time."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    centre = Centre(seed=1, agents=24, start=start, grades_per_agent_week=10, coaching_effect=5.0)
    centre.live_until(start + timedelta(days=45))
    path = tmp_path / "answers.csv"

    def peak_and_size(grades):
        selection = RawSelection(centre.grades[:grades], start + timedelta(days=60), with_deleted_flag=True)
        tracemalloc.start()
        write_raw(centre, selection, ["individual_answers"], path, number=1, faults=Faults(), zipped=False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak, path.stat().st_size

    (small, few), (large, many) = peak_and_size(300), peak_and_size(1500)
    assert many > 4.5 * few
    assert many > large
    assert large < 1.5 * small
