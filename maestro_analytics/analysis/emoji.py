"""Emoji in names: pictures have no letters for them, and neither have many printers."""

from __future__ import annotations

import re

import polars as pl

SIGN = "◆"
EMOJI = (
    r"(?:[\x{1F000}-\x{1FAFF}\x{2600}-\x{27BF}\x{2B00}-\x{2BFF}\x{231A}-\x{23FF}]"
    r"[\x{FE00}-\x{FE0F}\x{200D}\x{20E3}\x{E0020}-\x{E007F}]*)+"
)
"""One or several emoji in a row, with what changes their colour or joins them."""

_EMOJI = re.compile(re.sub(r"\\x\{([0-9A-F]+)\}", lambda found: chr(int(found[1], 16)), EMOJI))


def without_emoji(text: str) -> str:
    """`text` with a plain sign in the place of emoji."""
    return text if text.isascii() else _EMOJI.sub(SIGN, text)


def emoji_replaced(text: pl.Expr) -> pl.Expr:
    """The same for a column."""
    return text.str.replace_all(EMOJI, SIGN)
