"""Repeat every scenario on simulated centres and print what each promise holds.

    python -m tests.simulations [--quick] [--centres S] [--seed N] [NAME ...]

NAME is part of an answer's or scenario's name. Prints one Markdown table: the mean of each measure over S centres, its
Monte Carlo error, and between which values it is to be; "no" where it is outside by more than two errors.
"""

from __future__ import annotations

import argparse

import numpy as np

from tests.simulations.scenarios import Scenario, scenarios
from tests.simulations.stores import MemoryStore


def run(scenario: Scenario, store: MemoryStore, *, centres: int, seed: int) -> dict[str, tuple[float, float]]:
    """The mean of each measure over the centres in which it is known, and the error of that mean."""
    found = [scenario.measure(np.random.default_rng([seed, centre]), store) for centre in range(centres)]
    result = {}
    for name in found[0]:
        values = np.array([measures[name] for measures in found])
        values = values[np.isfinite(values)]
        error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")
        result[name] = (float(values.mean()) if len(values) else float("nan"), error)
    return result


def holds(value: float, error: float, aim: tuple[float, float] | None) -> str:
    """Whether a measure is where it is to be, as a word."""
    if aim is None:
        return ""
    if np.isnan(value):
        return "not said"
    spare = 2 * (0.0 if np.isnan(error) else error)
    return "yes" if aim[0] - spare <= value <= aim[1] + spare else "**no**"


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="10 centres of each scenario")
    parser.add_argument("--centres", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    store = MemoryStore()
    print("| answer | scenario | measure | found | error | aim | holds |\n|---|---|---|---|---|---|---|")
    for scenario in scenarios():
        title = f"{scenario.answer} {scenario.name}"
        if given.names and not any(name in title for name in given.names):
            continue
        found = run(scenario, store, centres=10 if given.quick else given.centres, seed=given.seed)
        for measure, (value, error) in found.items():
            aim = scenario.aims.get(measure)
            words = "" if aim is None else f"{aim[0]:g} to {aim[1]:g}"
            row = (
                scenario.answer,
                scenario.name,
                measure,
                f"{value:.3f}",
                f"{error:.3f}",
                words,
                holds(value, error, aim),
            )
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
