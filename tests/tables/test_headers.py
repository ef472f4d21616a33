"""A file is recognised by its header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.tables.headers import Header, closest, find_header, folded, match, recognise, reserved_names
from maestro_analytics.tables.schemas import KINDS, RAW_TABLES, TABLES_BY_NAME, TOTAL_SCORES

BY_FILE = [(kind, table) for kind in ("raw", "groups", "audit") for table in KINDS[kind]]


@pytest.mark.parametrize(("kind", "table"), BY_FILE, ids=lambda value: getattr(value, "name", value))
def test_each_file_is_recognised_whatever_it_is_called(kind, table):
    names = list(table.file_columns)
    assert recognise(names, KINDS[kind], file_name="export (3).csv") is table
    assert (
        recognise([f" {name.upper().replace('_', ' ')} " for name in reversed(names)], KINDS[kind], file_name="")
        is table
    )


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_the_columns_of_a_file_decide_and_not_its_name(table):
    for other in RAW_TABLES:
        assert recognise(list(table.file_columns), RAW_TABLES, file_name=f"{other.name}.csv") is table


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_a_file_that_lacks_any_one_column_is_still_recognised(table):
    for missing in table.file_columns:
        names = [name for name in table.file_columns if name != missing]
        assert recognise(names, RAW_TABLES, file_name="x.csv") is table


@pytest.mark.parametrize("table", RAW_TABLES, ids=lambda table: table.name)
def test_columns_of_another_table_that_the_vendor_adds_change_nothing(table):
    for other in RAW_TABLES:
        added = [*table.file_columns, *(name for name in other.file_columns if name.endswith("_score"))]
        assert recognise(added, RAW_TABLES, file_name="x.csv") is table


def test_a_file_of_an_unknown_level_is_not_recognised():
    shared = ["gradable_id", "agent_id", "rubric_id", "date_graded", "grader", "grade_type", "source"]
    names = [*shared, "section_id", "section_name", "criterion_id", "criterion_score"]
    assert recognise(names, RAW_TABLES, file_name="section_scores_v2.csv") is None
    table, lacking = closest(names, RAW_TABLES)
    assert table in RAW_TABLES
    assert lacking


@pytest.mark.parametrize(
    ("head", "names", "length", "lines"),
    [
        (b"a,b\n1,2\n", ("a", "b"), 4, 1),
        (b"\xef\xbb\xbfa,b\r\n1,2", ("a", "b"), 8, 1),
        (b"\n\r\n  \na,b\n", ("a", "b"), 10, 4),
        (b'\xef\xbb\xbf\n"a","b ""x"""\n', ("a", 'b "x"'), 18, 2),
        (b'"a\nb",c\n', ("a\nb", "c"), 8, 2),
        (b"a,b\r1,2\r", ("a", "b"), 4, 1),
        (b"a,b", ("a", "b"), 3, 1),
    ],
)
def test_the_header_is_the_first_record_that_is_not_blank(head, names, length, lines):
    assert find_header(head, ())[0] == Header(names, length, lines)


@pytest.mark.parametrize("head", [b"", b"\n", b"\xef\xbb\xbf", b" \r\n\r\n"])
def test_a_blank_file_has_no_header(head):
    assert find_header(head, ()) == (None, None)


def test_what_a_file_must_have():
    groups = TABLES_BY_NAME["agent_groups"]
    assert match(Header(("group_name",), 1, 1), groups).lacking(groups) == ("group_id", "agent_ids or agent_email")
    assert match(Header(("Group ID", "AGENT_EMAIL"), 1, 1), groups).lacking(groups) == ()


names = st.one_of(
    st.sampled_from(
        ["comment", "Comment", " COMMENT ", "is_deleted", "grade_key", "Grade Key", "", " ", "ä", "Ä", "ß"]
    ),
    st.text(max_size=5),
)


@given(st.lists(names, max_size=12))
def test_any_header_maps_to_names_of_its_own(header):
    """One stored name for each column, none twice for DuckDB, none that is made here."""
    columns = match(Header(tuple(header), 1, 1), TOTAL_SCORES)

    assert len(columns.stored) == len(header)
    assert len({folded(name) for name in columns.stored}) == len(header)
    made_here = reserved_names(TOTAL_SCORES) - set(TOTAL_SCORES.file_columns)
    assert not {folded(name) for name in columns.stored} & made_here
    assert all(columns.unknown[name] in header for name in columns.unknown)
