"""Names in a chart are short, and never the same for two different things: a chart would merge them, unseen."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from maestro_analytics.analysis import charts
from maestro_analytics.analysis.charts.theme import told_apart, within

SOME_TEXT = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.builds(
        "Did the agent {} the customer as agreed? {}".format, st.sampled_from(["help", "call"]), st.integers(0, 3)
    ),
)


def named(texts, keys, *, most=22, **more):
    frame = pl.DataFrame({"key": keys, "text": texts, **more})
    return told_apart(frame, "text", "key", to="name", most=most, beside="beside" if "beside" in more else None)[
        "name"
    ].to_list()


def test_a_text_that_fits_is_shown_as_it_is():
    assert named(["Billing", "Sales and\n returns", None], ["a", "b", "c"]) == [
        "Billing",
        "Sales and returns",
        "unknown",
    ]


def test_a_long_text_is_cut_at_its_end():
    assert named(["Was the customer greeted by name?"], ["a"]) == ["Was the customer gree…"]


def test_texts_that_begin_alike_are_cut_in_the_middle():
    assert named(["Was the customer greeted by name?", "Was the customer greeted in time?"], ["a", "b"]) == [
        "Was the cu…ed by name?",
        "Was the cu…ed in time?",
    ]


def test_equal_texts_are_told_apart_by_what_stands_beside_them_then_by_id_then_by_number():
    texts = ["Greeting"] * 5
    beside = ["Chat", "Phone", "Mail", "Mail", "Mail"]
    keys = ["q1", "q2", "q3", "0123456789abcdef", "0123456789abcdXX"]
    assert named(texts, keys, most=40, beside=beside) == [
        "Greeting (Chat)",
        "Greeting (Phone)",
        "Greeting (q3)",
        "Greeting (0123456789abcd) #1",
        "Greeting (0123456789abcd) #2",
    ]


def test_rows_of_one_key_keep_one_name():
    assert named(["Old wording?", "New wording?", "Other"], ["a", "a", "b"]) == [
        "Old wording?",
        "Old wording?",
        "Other",
    ]


@given(texts=st.lists(SOME_TEXT, min_size=1, max_size=12), most=st.integers(10, 40), data=st.data())
def test_whatever_the_texts_are_every_key_has_a_name_of_its_own(texts, most, data):
    panels = data.draw(st.lists(st.sampled_from("xy"), min_size=len(texts), max_size=len(texts)))
    frame = pl.DataFrame(
        {"key": [f"k{n}" for n in range(len(texts))], "text": texts, "panel": panels},
        schema={"key": pl.String, "text": pl.String, "panel": pl.String},
    )
    everywhere = told_apart(frame, "text", "key", to="name", most=most, beside="panel")
    assert everywhere["name"].n_unique() == len(texts)
    assert everywhere.drop("name").equals(frame)
    in_panels = told_apart(frame, "text", "key", to="name", most=most, per=["panel"])
    assert in_panels.select("panel", "name").is_unique().all()


def test_labels_are_measured_only_where_letters_are_wide():
    assert within(pl.Series(["short"]), 100) == {"labelLimit": 0}
    assert within(pl.Series(["長い名前の質問です、とても長い"]), 100) == {"labelLimit": 100}
    cut = within(pl.Series(["a name that is much longer than its place"]), 100)
    assert cut["labelLimit"] == 0
    assert "> 15" in cut["labelExpr"]


def test_two_questions_that_begin_alike_are_two_bars_on_a_phone():
    lost = pl.DataFrame(
        {
            "rubric_id": ["r", "r"], "rubric_name": ["Rubric", "Rubric"], "section_name": ["s", "s"],
            "question_id": ["question-number-1", "question-number-2"],
            "question": ["Was the customer greeted by name?", "Was the customer greeted in time?"],
            "n": [10, 10], "points_lost": [30.0, 10.0], "share": [75.0, 25.0], "cumulative_share": [75.0, 100.0],
            "failure_rate": [30.0, 10.0],
        }
    )  # fmt: skip
    bars = charts.pareto(lost, width=340).to_dict()["vconcat"][0]
    drawn = next(layer for layer in bars["layer"] if layer["mark"]["type"] == "bar")
    assert drawn["encoding"]["y"]["sort"] == ["Was the cu…ed by name?", "Was the cu…ed in time?"]


def test_two_graders_whose_addresses_begin_alike_are_two_rows_on_a_phone():
    graders = ["customer.support.anna@example.com", "customer.support.bob@example.com"]
    pairs = pl.DataFrame(
        {
            "grader": graders, "other": graders[::-1], "n": [20, 20], "n_na": [0, 0], "bias": [2.0, -2.0],
            "lo": [1.0, -3.0], "hi": [3.0, -1.0], "mad": [2.0, 2.0], "method": ["t", "t"], "reliable": [True, True],
            "reason": ["", ""],
        }
    )  # fmt: skip
    rows = charts.disagreement(pairs, width=340).to_dict()["layer"][0]["encoding"]["y"]["sort"]
    assert len(set(rows)) == 2
