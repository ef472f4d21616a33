"""The README says what is true: its commands exist, and every command is in it and has help with an example."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from maestro_analytics.cli import app

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def command_paths() -> list[tuple[str, ...]]:
    """Every command as its words, groups left out."""
    paths: list[tuple[str, ...]] = []

    def walk(command: object, words: tuple[str, ...]) -> None:
        children = getattr(command, "commands", None)
        if children:
            for name, child in children.items():
                walk(child, (*words, name))
        else:
            paths.append(words)

    walk(typer.main.get_command(app), ())
    return paths


CONTRACT = {
    *("refresh", "status", "replay", "quarantine", "export", "sql", "explain", "report", "push", "lake", "compact"),
    *("sandbox", "doctor", "lab", "reconcile", "land", "erase", "mcp", "dbt", "prune"),
}


def test_the_commands_are_those_of_the_contract():
    assert {words[0] for words in command_paths()} == CONTRACT


@pytest.mark.parametrize("words", command_paths(), ids=" ".join)
def test_every_command_is_in_the_readme(words):
    assert f"`{words[0]}" in README or f"maestro-analytics {' '.join(words)}" in README


@pytest.mark.parametrize("words", command_paths(), ids=" ".join)
def test_every_command_has_help_with_an_example(words):
    code = "from maestro_analytics.cli import main; main()"
    given = {"COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--help"], capture_output=True, text=True, check=True, env=given
    )
    assert f"maestro-analytics {' '.join(words)}" in done.stdout, "no example"


def test_every_command_that_the_readme_shows_exists():
    known = {words[:depth] for words in command_paths() for depth in range(1, len(words) + 1)}
    shown = re.findall(r"maestro-analytics ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", README)
    for text in shown:
        words = tuple(text.split())
        assert words[:1] in known, text
