"""The arguments of answers: checked when an answer is asked for, and listed by `help()` and in notebooks."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import cache, wraps
from numbers import Integral, Real
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from maestro_analytics.analysis.filters import Filters
from maestro_analytics.errors import InvalidArgument

P = ParamSpec("P")
R = TypeVar("R")

SHARES = {"confidence", "false_alarms", "wanted", "weight"}
"""Numbers between 0 and 1, both excluded."""
AMOUNTS = {"effect", "half_width"}
"""Numbers above 0."""
MAY_BE_ZERO = {"min_n", "min_sessions", "overdue_days", "seed", "within_days"}
"""Whole numbers that may be 0; all others are at least 1."""


def checked(answer: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of a public answer before it asks anything; `Choice.of` checks its filters.

    `inspect.signature`, Tab and Shift+Tab list each filter in the place of `**filters`: type checkers read
    `Unpack[Filters]`, Jupyter and `help()` the signature.

    Raises:
        InvalidArgument: an argument has a value that the answer cannot have. Without this check, an unknown `by` gave
            the answer of another one, and a confidence of 95 no intervals.
    """
    signature = inspect.signature(answer)

    @wraps(answer)
    def ask(*args: P.args, **kwargs: P.kwargs) -> R:
        hints = _hints(answer)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in hints:
                _check(name, value, hints[name])
        return answer(*args, **kwargs)

    named = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    filters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in get_type_hints(Filters).items()
    ]
    ask.__signature__ = signature.replace(parameters=[*named, *filters])  # type: ignore[attr-defined]
    return ask


@cache
def _hints(answer: Callable[..., object]) -> dict[str, Any]:
    return get_type_hints(answer)


def _check(name: str, value: Any, kind: Any) -> None:
    if get_origin(kind) is Literal:
        is_right = isinstance(value, str) and value in get_args(kind)
        wanted = f"one of {', '.join(repr(each) for each in get_args(kind))}"
    elif kind is bool:
        is_right, wanted = isinstance(value, bool), "True or False"
    elif kind is int:
        least = 0 if name in MAY_BE_ZERO else 1
        is_right = isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
        wanted = f"a whole number of at least {least}"
    elif kind is float:
        is_right = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        wanted = "a number"
        if name in SHARES:
            is_right, wanted = is_right and 0 < value < 1, "a number between 0 and 1, such as 0.95 for 95 %"
        elif name in AMOUNTS:
            is_right, wanted = is_right and value > 0, "a number above 0"
    else:
        return
    if not is_right:
        raise InvalidArgument(f"{name} must be {wanted}, not {value!r}")
