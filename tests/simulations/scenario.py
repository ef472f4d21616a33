"""What a scenario is: one centre whose truth is known, a public answer, and a number for each measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from tests.simulations.stores import MemoryStore

Measures = dict[str, float]
Measure = Callable[[np.random.Generator, MemoryStore], Measures]
COVER = (0.925, 1.0)
SHARE_COVERED = "covered"


@dataclass(frozen=True)
class Scenario:
    """One answer in one kind of centre, and between which values each measure is to be."""

    answer: str
    name: str
    measure: Measure
    aims: dict[str, tuple[float, float]]


def covered(table: pl.DataFrame, truth: np.ndarray, lo: str = "lo", hi: str = "hi") -> float:
    """Share of intervals that hold their truth; nan without any interval."""
    low, high = (table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in (lo, hi))
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return float("nan")
    return float(((low <= truth + 1e-9) & (truth <= high + 1e-9))[known].mean())
