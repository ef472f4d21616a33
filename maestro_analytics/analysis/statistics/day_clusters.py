"""Grades that one grader gives on one day resemble each other: how much, and what that leaves of their number."""

from __future__ import annotations

import numpy as np

from maestro_analytics.analysis.statistics.codes import Codes
from maestro_analytics.analysis.statistics.intervals import Floats


def day_correlation(n: Floats, total: Floats, squares: Floats, group: Codes, *, level: float = 0.2) -> float:
    """Correlation of grades of one cell (a grader's day with an agent) beyond that of the same `group` of cells.

    Analysis of variance of days within groups; 0 unless days differ more than chance explains at `level`.
    """
    from scipy import special

    groups = int(group.max()) + 1
    size = np.bincount(group, n, minlength=groups)
    cells = np.bincount(group, minlength=groups)
    sums = np.bincount(group, total, minlength=groups)
    several = cells > 1
    of_means = total**2 / n
    between = float((np.bincount(group, of_means, minlength=groups) - sums**2 / np.maximum(size, 1))[several].sum())
    between_freedom = float((cells - 1)[several].sum())
    within, within_freedom = float((squares - of_means).sum()), float(n.sum() - len(n))
    if between_freedom < 5 or within_freedom < 5 or within <= 0:
        return 0.0
    ratio = (between / between_freedom) / (within / within_freedom)
    if float(special.fdtrc(between_freedom, within_freedom, ratio)) > level:
        return 0.0
    alike = (size - np.bincount(group, n**2, minlength=groups) / np.maximum(size, 1))[several].sum() / between_freedom
    component = max(ratio - 1, 0.0) / max(float(alike), 1.0)
    return component / (1 + component)


def day_weighted(n: Floats, total: Floats, squares: Floats, correlation: float) -> tuple[Floats, Floats, Floats]:
    """Count, sum and sum of squares of cells whose grades are correlated, as if they were independent."""
    share = 1 / (1 + correlation * (n - 1))
    of_mean = total**2 / n
    within = np.clip(squares - of_mean, 0, None)
    return n * share, total * share, of_mean * share + within / (1 - correlation)
