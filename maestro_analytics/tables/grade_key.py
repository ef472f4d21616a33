"""The key of a grade, as one text.

No file carries an id of a grade. A grade is (source, gradable_id, rubric_id, agent_id, grade_type), and its
grader too unless it is an ordinary grade: a ticket can be calibrated by several graders, and graded by one.

A key is readable text, the parts joined by `|`:

    zendesk|5310985|AatxWWtXWKcfiN34E|542897|grading
    zendesk|5310985|AatxWWtXWKcfiN34E|542897|calibration|jo@example.com

It is injective: a `|` or a backslash inside a part is escaped with a backslash, and a null is `\\N`, which no
escaped text can be. Source: export-files.md, "Identity of a grade".
"""

from __future__ import annotations

import polars as pl

ORDINARY_GRADE = "grading"
GRADE_PARTS = ("source", "gradable_id", "rubric_id", "agent_id", "grade_type", "grader")
REQUIRED_PARTS = ("gradable_id", "rubric_id", "agent_id", "grade_type")

_NULL = "\\N"


def grade_key(
    *,
    source: str | None,
    gradable_id: str | None,
    rubric_id: str | None,
    agent_id: str | None,
    grade_type: str | None,
    grader: str | None,
) -> str:
    """The key of one grade."""
    parts = [source, gradable_id, rubric_id, agent_id, grade_type]
    if grade_type != ORDINARY_GRADE:
        parts.append(grader)
    return "|".join(_NULL if part is None else part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def grade_keys(frame: pl.DataFrame) -> pl.Series:
    """The keys of all rows of `frame`, which has the columns `GRADE_PARTS`; same text as `grade_key`."""
    # Hardly any part needs escaping, and looking is cheaper than doing.
    looked = frame.select(
        *(pl.col(part).str.contains(r"[|\\]").any().alias(part) for part in GRADE_PARTS),
        (pl.col("grade_type").eq_missing(ORDINARY_GRADE)).all().alias("all ordinary"),
    ).row(0, named=True)
    parts = [(_escaped(part) if looked[part] else pl.col(part)).fill_null(_NULL) for part in GRADE_PARTS]
    five = pl.concat_str(parts[:5], separator="|")
    if looked["all ordinary"]:
        return frame.select(five.alias("grade_key")).to_series()
    six = pl.concat_str(parts, separator="|")
    is_ordinary = pl.col("grade_type").eq_missing(ORDINARY_GRADE)
    return frame.select(pl.when(is_ordinary).then(five).otherwise(six).alias("grade_key")).to_series()


def _escaped(part: str) -> pl.Expr:
    """The text of a part as it stands in a key."""
    return pl.col(part).str.replace_all("\\", "\\\\", literal=True).str.replace_all("|", "\\|", literal=True)
