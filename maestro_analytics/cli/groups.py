"""Groups of commands: their help says of each command in a whole sentence what it does."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

WHOLE_SENTENCE = 400
"""Letters of a first sentence; typer would cut it where the line ends."""


class Group(TyperGroup):
    """A group whose help wraps the sentences about its commands instead of cutting them."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [(name, each.get_short_help_str(WHOLE_SENTENCE)) for name, each in commands if each and not each.hidden]
        if shown:
            with formatter.section("Commands"):
                formatter.write_dl(shown)


def command_group(name: str, *, help: str) -> typer.Typer:
    """A group of commands that shows its help when it is called without one."""
    return typer.Typer(cls=Group, name=name, help=help, no_args_is_help=True, rich_markup_mode=None)
