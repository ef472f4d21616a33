"""What commands are built from: groups and commands whose help is for people, and options that several of them have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from maestro_analytics.errors import InvalidArgument

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


class Command(TyperCommand):
    """A command whose help names an argument by what it is, such as QUERY, and not by its Python type besides."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        records: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                if parameter.param_type_name == "argument":
                    record = (parameter.metavar or "", record[1])
                records[parameter.param_type_name].append(record)
        for kind, lines in records.items():
            if lines:
                with formatter.section(f"{kind.title()}s"):
                    formatter.write_dl(lines)


class Program(typer.Typer):
    """Commands or groups of them. Shows its help when it is called without one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(no_args_is_help=True, rich_markup_mode=None, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        return super().command(name, **{"cls": Command, **options})


def command_group(name: str, *, help: str, examples: Sequence[str]) -> typer.Typer:
    """A group of commands.

    Args:
        examples: what comes after `maestro-analytics`.
    """
    lines = "".join(f"\n  maestro-analytics {example}" for example in examples)
    return Program(cls=Group, name=name, help=f"{help}\n\n\b\nExamples:{lines}")


def choices(text: str | None, *, option: str, known: Sequence[str]) -> tuple[str, ...]:
    """`a,b` as a tuple in the order of `known`; all of `known` for None.

    Raises:
        InvalidArgument: a word is not among `known`, or there is none at all.
    """
    if text is None:
        return tuple(known)
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(words - set(known))
    if unknown or not words:
        raise InvalidArgument(f"{option} {text!r}: choose from {', '.join(known)}, separated by commas.")
    return tuple(word for word in known if word in words)
