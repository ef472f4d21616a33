"""Control charts: which movements of a series are more than its usual noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maestro_analytics.analysis.statistics.intervals import Floats, Numbers

OUTSIDE = "outside the limits"
RUN = "eight on one side"


@dataclass(frozen=True)
class ControlChart:
    """A series with its limits, one entry per point.

    Attributes:
        value, centre, lower, upper: the points and the limits that hold for each.
        moving_range: distance from the point before; nan for the first.
        moving_range_limit: above it a single jump is unusual.
        sigma_z: how much more the series varies than chance alone (Laney); nan for XmR.
        signal: why a point stands out, or an empty text.
    """

    value: Floats
    centre: Floats
    lower: Floats
    upper: Floats
    moving_range: Floats
    moving_range_limit: float
    sigma_z: float
    signal: list[str]


def xmr(values: Numbers) -> ControlChart:
    """Individuals chart: mean +- 2.66 times the mean moving range (3 / d2, with d2 = 1.128)."""
    x = np.asarray(values, dtype=float)
    moves = np.abs(np.diff(x))
    mean_move = float(moves.mean()) if len(moves) else float("nan")
    centre = np.full(len(x), x.mean() if len(x) else np.nan)
    lower, upper = centre - 2.66 * mean_move, centre + 2.66 * mean_move
    return ControlChart(
        value=x,
        centre=centre,
        lower=lower,
        upper=upper,
        moving_range=np.concatenate([[np.nan], moves])[: len(x)],
        moving_range_limit=3.267 * mean_move,
        sigma_z=float("nan"),
        signal=_signals(x, centre, lower, upper),
    )


def laney_p(successes: Numbers, trials: Numbers) -> ControlChart:
    """Laney's p' chart of a share: the binomial limits, widened by how much the series varies beyond chance.

    sigma_z below 1 is kept at 1: a series cannot be steadier than chance, it can only look so.
    """
    k, n = (np.asarray(values, dtype=float) for values in (successes, trials))
    share = k / n
    overall = float(k.sum() / n.sum()) if n.sum() else float("nan")
    sigma = np.sqrt(overall * (1 - overall) / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(sigma > 0, (share - overall) / sigma, 0.0)
    moves = np.abs(np.diff(z))
    sigma_z = max(1.0, float(moves.mean()) / 1.128) if len(moves) else 1.0
    centre = np.full(len(share), overall)
    lower = np.clip(centre - 3 * sigma * sigma_z, 0, 1)
    upper = np.clip(centre + 3 * sigma * sigma_z, 0, 1)
    return ControlChart(
        value=share,
        centre=centre,
        lower=lower,
        upper=upper,
        moving_range=np.concatenate([[np.nan], np.abs(np.diff(share))])[: len(share)],
        moving_range_limit=float("nan"),
        sigma_z=sigma_z,
        signal=_signals(share, centre, lower, upper),
    )


def _signals(x: Floats, centre: Floats, lower: Floats, upper: Floats) -> list[str]:
    side = np.sign(x - centre)
    run = 0
    found = []
    for at, (value, now) in enumerate(zip(x, side, strict=True)):
        run = run + 1 if at and now != 0 and now == side[at - 1] else int(now != 0)
        if value < lower[at] or value > upper[at]:
            found.append(OUTSIDE)
        else:
            found.append(RUN if run >= 8 else "")
    return found
