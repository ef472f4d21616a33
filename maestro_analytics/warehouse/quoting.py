"""Names and texts as parts of SQL statements, where a statement takes no parameters."""

from __future__ import annotations

from collections.abc import Sequence


def quoted(name: str) -> str:
    """A column's name as SQL, whatever a file called it."""
    return '"' + name.replace('"', '""') + '"'


def quoted_all(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def text_literal(text: str) -> str:
    """A name or description as an SQL text literal."""
    return "'" + text.replace("'", "''") + "'"
