"""Numbers that stand for names: grouping and counting by them is arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]


def renumbered(codes: Codes) -> Codes:
    """The same in order from 0 without a gap. Codes are not negative, and not much larger than there are of them."""
    present = np.bincount(codes) > 0
    return np.asarray(np.cumsum(present) - 1, dtype=np.int64)[codes]
