"""The README says what is true: its commands exist, and every command is in it and has help with an example."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from maestro_analytics.cli import MODULES, application

PROGRAM = application()

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOMS = sorted(path.parent for path in (ROOT / "maestro_analytics").glob("*/README.md"))


def command_paths() -> list[tuple[str, ...]]:
    """Every command and group of commands as its words."""
    paths: list[tuple[str, ...]] = []

    def walk(command: object, words: tuple[str, ...]) -> None:
        if words:
            paths.append(words)
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*words, name))

    walk(typer.main.get_command(PROGRAM), ())
    return paths


CONTRACT = {
    *("refresh", "status", "replay", "quarantine", "export", "sql", "explain", "report", "push", "lake", "compact"),
    *("sandbox", "doctor", "lab", "reconcile", "land", "erase", "mcp", "dbt", "prune"),
}


def test_the_commands_are_those_of_the_contract():
    assert {words[0] for words in command_paths()} == CONTRACT


def test_each_command_is_found_in_its_module_alone():
    assert set(MODULES) == CONTRACT
    for name in MODULES:
        assert name in typer.main.get_command(application(name)).commands


@pytest.mark.parametrize("words", command_paths(), ids=" ".join)
def test_every_command_is_in_the_readme(words):
    assert f"`{words[0]}" in README or f"maestro-analytics {' '.join(words)}" in README


@pytest.mark.parametrize("words", command_paths(), ids=" ".join)
def test_every_command_has_help_with_an_example(words):
    done = CliRunner().invoke(PROGRAM, [*words, "--help"], prog_name="maestro-analytics", env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert f"maestro-analytics {' '.join(words)}" in done.output.partition("Example")[2], "no example"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_the_modules_that_a_rooms_readme_names_exist(room):
    named = set(re.findall(r"`([\w/]+\.py)`", (room / "README.md").read_text(encoding="utf-8")))
    assert {name for name in named if not [*room.rglob(name), *room.parent.glob(name), *ROOT.glob(name)]} == set()


def test_every_command_that_the_readme_shows_exists():
    known = {words[:depth] for words in command_paths() for depth in range(1, len(words) + 1)}
    shown = re.findall(r"maestro-analytics ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", README)
    for text in shown:
        words = tuple(text.split())
        assert words[:1] in known, text


def parameters() -> list[tuple[tuple[str, ...], Any]]:
    """Every option and argument of every command, with the words of its command."""
    found: list[tuple[tuple[str, ...], Any]] = []

    def walk(command: Any, words: tuple[str, ...]) -> None:
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*words, name))
        if not getattr(command, "commands", None):
            found.extend((words, parameter) for parameter in command.params)

    walk(typer.main.get_command(PROGRAM), ())
    return found


@pytest.mark.parametrize(
    ("words", "parameter"), parameters(), ids=lambda each: each.name if hasattr(each, "name") else " ".join(each)
)
def test_help_is_whole_sentences_and_says_what_a_value_is(words, parameter):
    text = (parameter.help or "").strip()
    assert text.endswith(".")
    assert text[0].isupper() or text[0] in "`-"
    if parameter.param_type_name == "argument" or not parameter.is_flag:
        assert parameter.metavar, "says TEXT, not what"


def test_the_ticket_in_the_help_of_explain_is_one_of_the_sandbox():
    """Whatever the day: the demo's centre begins 180 days before it."""
    from maestro_analytics.cli.query import explain
    from maestro_analytics.cli.refresh import SANDBOX_AGENTS, SANDBOX_DAYS
    from maestro_analytics.sandbox import Sandbox

    ticket = re.search(r"explain (\d+)$", explain.__doc__ or "", flags=re.MULTILINE)
    assert ticket is not None
    for now in (datetime(2026, 6, 1, tzinfo=UTC), datetime(2027, 2, 3, 4, 5, tzinfo=UTC)):
        with Sandbox(now=now, agents=SANDBOX_AGENTS, days=SANDBOX_DAYS) as sandbox:
            grades = sandbox.truth.tables()["total_scores"]
        assert ticket[1] in {grade["gradable_id"] for grade in grades if grade["grade_type"] == "grading"}
