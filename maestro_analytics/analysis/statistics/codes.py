"""Numbers that stand for names: grouping and counting by them is arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.intervals import Floats

Codes = npt.NDArray[np.int64]


def renumbered(codes: Codes) -> Codes:
    """The same in order from 0 without a gap. Codes are not negative, and not much larger than there are of them."""
    present = np.bincount(codes) > 0
    first = int(present.argmax()) if len(present) else 0
    if present[first:].all():  # without a gap there is nothing to look up
        return codes - first if first else codes
    return np.asarray(np.cumsum(present) - 1, dtype=np.int64)[codes]


def summed(code: Codes, weight: Floats, levels: int) -> Floats:
    """Sums of the weights by code."""
    return np.asarray(np.bincount(code, weight, minlength=levels), dtype=float)


def crossed(first: Codes, rows: int, second: Codes, columns: int, weight: Floats) -> Floats:
    """Sums of the weights by both codes."""
    place = first * columns
    place += second
    return summed(place, weight, rows * columns).reshape(rows, columns)


def all_connected(seen: npt.NDArray[np.bool_]) -> bool:
    """Whether the rows that have the most common column have columns that connect all rows, as is nearly always so.

    Where it is False, others may connect them still.
    """
    common = seen[seen[:, seen.sum(0).argmax()]].any(0)
    return bool(seen[:, common].any(1).all())
