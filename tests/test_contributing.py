"""The recipes of CONTRIBUTING.md are followed in a copy of the checkout: each edit is made, and each check runs."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("maestro_analytics", "sql")
LARGEST_RECIPE = 2

_EDIT = re.compile(r"[Ii]n (a new file )?`([^`]+)`(?:, (after|before) `([^`]+)`)?:\n\n```\w+\n(.*?)^```$", re.S | re.M)
_CHECK = re.compile(r"^Check:\n\n```python\n(.*?)^```$", re.S | re.M)


def recipes():
    """Title -> text of each recipe, in order."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def follow(recipe, copy):
    """Make the edits of a recipe in `copy`, indented as their place is; returns the files that were changed."""
    changed = set()
    for is_new, name, place, anchor, code in _EDIT.findall(recipe):
        file = copy / name
        if is_new:
            assert not file.exists(), name
            file.write_text(code, encoding="utf-8")
        else:
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            (at,) = [number for number, line in enumerate(lines) if line.startswith(anchor)]
            indent = anchor[: len(anchor) - len(anchor.lstrip())]
            lines.insert(at + (place == "after"), textwrap.indent(textwrap.dedent(code), indent))
            file.write_text("".join(lines), encoding="utf-8")
        changed.add(name)
    return changed


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of what is installed, with nothing else of the checkout in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_every_recipe_works_and_takes_one_or_two_files(copy, tmp_path):
    """One process runs all checks, one after the other: the imports take longer than the checks."""
    changed = {title: follow(recipe, copy) for title, recipe in recipes().items()}
    checks = {title: "\n".join(_CHECK.findall(recipe)) for title, recipe in recipes().items()}
    assert all(checks.values())

    script = "\n".join(f"print({title!r}, flush=True)\n{check}" for title, check in checks.items())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")}
    settings = {"MAESTRO_API_TOKEN": "a-token-for-tests", "MAESTRO_DATA": str(tmp_path / "data")}
    environment = kept | settings | {"PYTHONPATH": str(copy), "MAESTRO_CACHE": str(tmp_path / "cache")}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )

    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert "1" == re.search(r'"planned": (\d+)', ran.stdout)[1]
    assert {title: 1 <= len(files) <= LARGEST_RECIPE for title, files in changed.items()} == dict.fromkeys(
        changed, True
    )
