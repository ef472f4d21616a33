"""Reproducible random numbers: the same inputs give the same draws on every machine and in any order."""
# ruff: noqa: S311

from __future__ import annotations

from random import Random

_MASK = (1 << 64) - 1
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"

# What a stream of draws is for; the first number after the seed, so that no two purposes share draws.
PEOPLE, RUBRICS, DAY, TICKET, MARKS, CONTENT, RECORD, AUDIT, FILE, HABIT = range(10)


def mix(*numbers: int) -> int:
    """One 64-bit number of several; close inputs give outputs that are far apart."""
    value = 0x243F6A8885A308D3
    for number in numbers:
        value = ((value ^ number) * 0x9E3779B97F4A7C15) & _MASK
        value ^= value >> 29
        value = (value * 0xBF58476D1CE4E5B9) & _MASK
        value ^= value >> 32
    return value


def draws(*numbers: int) -> Random:
    """The stream of draws that belongs to these numbers."""
    return Random(mix(*numbers))


def identifier(rng: Random, length: int = 17) -> str:
    """An id as the vendor makes them: letters and digits, never "_"."""
    return "".join(rng.choices(_ALPHABET, k=length))
