"""What `--since`, `--until` and `--only` may say."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.arguments import moment_of
from maestro_analytics.cli.commands import choices
from maestro_analytics.errors import InvalidArgument

KINDS = ("raw", "groups", "audit", "coaching")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T09:30:00Z", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31T09:30:00+09:00", datetime(2026, 1, 31, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_date_or_a_moment_is_utc(text, meant):
    assert moment_of(text, name="--since") == meant
    assert moment_of(text, name="--since").utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "31.01.2026", "2026-01-31T25:00:00Z"])
def test_anything_else_says_what_to_write(text):
    with pytest.raises(InvalidArgument, match="write 2026-01-31 or"):
        moment_of(text, name="--since")


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59.999999-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_no_calendar_holds_in_utc_is_refused(text):
    with pytest.raises(InvalidArgument, match=r"--until .* lies outside of the years 1 to 9999 in UTC"):
        moment_of(text, name="--until")


@given(
    st.datetimes(
        datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))])
    )
)
def test_every_moment_survives_its_own_text(when):
    assert moment_of(when.isoformat(), name="--since") == when


def test_no_choice_is_all_of_them_and_order_is_ours():
    assert choices(None, option="--only", known=KINDS) == KINDS
    assert choices("coaching, raw", option="--only", known=KINDS) == ("raw", "coaching")


@pytest.mark.parametrize("text", ["", ",", "raw,grades"])
def test_an_unknown_choice_names_the_known_ones(text):
    with pytest.raises(InvalidArgument, match="choose from raw, groups, audit, coaching"):
        choices(text, option="--only", known=KINDS)
