"""Matching of like with like: each treated row with its nearest controls, and again with some rows left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats

Chosen = npt.NDArray[np.bool_]


class Matching:
    """Treated rows and the control rows of the same block within reach, with replacement.

    Args:
        treated, control: what to match on, one row each, already on a common scale.
        treated_block, control_block: only rows of the same block are matched.
        k: how many controls a treated row is matched with, the nearest.
        caliper: controls farther away than this do not count.
    """

    def __init__(
        self, treated: Floats, control: Floats, *, treated_block: Codes, control_block: Codes, k: int, caliper: float
    ) -> None:
        from scipy.spatial import cKDTree

        # Blocks lie so far apart that no neighbour within the caliper is in another one: one tree serves all.
        apart = 1000.0 * (caliper + 1)
        self._treated = np.column_stack([treated, treated_block * apart])
        self._controls = len(control)
        # Asked a few times only, a tree that is quickly made is quicker than a good one.
        places = np.column_stack([control, control_block * apart])
        self._tree = cKDTree(places, leafsize=64, balanced_tree=False, compact_nodes=False)
        self._k, self._caliper = k, caliper
        self._look(2 * k)

    def weights(self, treated: Chosen | None = None, control: Chosen | None = None) -> tuple[Chosen, Floats]:
        """Match those chosen (all, when not given).

        Returns:
            which treated rows found a control; weights of the control rows, which sum to the number of those.
        """
        asked = np.ones(len(self._treated), dtype=bool) if treated is None else treated
        there = np.append(np.ones(self._controls, dtype=bool) if control is None else control, False)
        usable = there[self._near] & asked[:, None]
        while ((usable.sum(1) < self._k) & (self._near[:, -1] < self._controls) & asked).any():
            # The nearest were left out, and there may be more behind them.
            self._look(2 * self._near.shape[1])
            usable = there[self._near] & asked[:, None]
        usable &= np.cumsum(usable, axis=1) <= self._k
        matches = usable.sum(1)
        share = np.repeat(1 / np.maximum(matches, 1), matches)
        weight = np.bincount(self._near[usable], share, minlength=self._controls)
        return matches > 0, np.asarray(weight, dtype=float)

    def _look(self, most: int) -> None:
        """Find up to `most` controls of each treated row, the nearest first; `len(control)` where there is no other."""
        if not self._controls or not len(self._treated):
            self._near = np.full((len(self._treated), 1), self._controls)
            return
        _, near = self._tree.query(self._treated, k=min(most, self._controls), distance_upper_bound=self._caliper)
        self._near = near.reshape(len(self._treated), -1)
        if most >= self._controls:  # that is all there are: none behind the last
            self._near = np.column_stack([self._near, np.full(len(self._near), self._controls)])
