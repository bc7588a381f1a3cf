"""Everything the report shows, gathered from the metrics."""

from typing import Any

import numpy as np
from markupsafe import Markup

from src.charts import Line, bars, histogram, intervals, lines, points
from src.formats.metrics import THRESHOLDS
from stages.report.convergence import Convergence

PASS_MARK = 0.75  # of the competition


def charts(board: dict[str, Any], metrics: dict[str, Any], learning: dict[str, Convergence]) -> dict[str, Markup]:
    """The charts of all variants together, coloured by their place on the leaderboard."""
    rows = board["variants"]
    dice, loss, threshold = [], [], []
    for number, row in enumerate(rows):
        if curves := learning.get(row["variant"]):  # an ensemble has none
            epochs = np.arange(1, len(curves.dice) + 1, dtype=float)
            best = curves.best_epoch
            dice.append(Line(number, epochs, curves.dice, (epochs[best], curves.dice[best])))
            loss.append(Line(number, epochs, curves.loss, (epochs[best], curves.loss[best])))
        curve = np.array(metrics[row["variant"]]["threshold_curve"])
        chosen = int(np.argmin(np.abs(THRESHOLDS - row["threshold"])))
        threshold.append(Line(number, THRESHOLDS, curve, (float(THRESHOLDS[chosen]), float(curve[chosen]))))
    spans = [(row["dice"], row["dice_low"], row["dice_high"]) for row in rows]
    return {
        "intervals": intervals("intervals", [row["variant"] for row in rows], spans, "Dice on holdout"),
        "dice": lines("dice", dice, "epoch", "validation Dice", _focus(dice)),
        "loss": lines("loss", loss, "epoch", "training loss", (0, 1.05 * max(float(c.y.max()) for c in loss))),
        "threshold": lines("threshold", threshold, "threshold", "Dice on val", _focus(threshold)),
    }


def costs(board: dict[str, Any]) -> dict[str, Markup]:
    """Dice over the size and over the work of each variant; nothing if not all of them have been measured."""
    rows, label = board["variants"], "Dice on holdout"
    if any(row["gflop"] is None for row in rows):
        return {}
    size, work = (
        [(row[key] / unit, row["dice"], row["dice_low"], row["dice_high"]) for row in rows]
        for key, unit in (("parameters", 1e6), ("gflop", 1))
    )
    return {
        "parameters": points("parameters", size, "parameters, in millions", label),
        "gflop": points("gflop", work, "GFLOP per photo", label),
    }


def histograms(board: dict[str, Any], metrics: dict[str, Any]) -> dict[str, Markup]:
    """A histogram of Dice over holdout photos for each variant."""
    names = [row["variant"] for row in board["variants"]]
    tables = {name: histogram(metrics[name]["holdout"]["photo_dice"], "dice") for name in names}
    return {name: bars(f"histogram-{name}", tables[name], place, small=True) for place, name in enumerate(names)}


def trait_table(board: dict[str, Any], metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """A row per variant: Dice of all holdout photos and of those with each trait, and its warmth from 0 to 1."""
    table = [
        {"variant": row["variant"], "all": row["dice"]}
        | {trait: score["dice"] for trait, score in metrics[row["variant"]]["holdout"]["traits"].items()}
        for row in board["variants"]
    ]
    values = [value for row in table for key, value in row.items() if key != "variant"]
    low, high = min(values), max(values)
    for row in table:
        row["heat"] = {
            key: (value - low) / (high - low) if high > low else 1.0 for key, value in row.items() if key != "variant"
        }
    return table


def trait_counts(metrics: dict[str, Any]) -> dict[str, int]:
    """How many holdout photos have each trait that any has."""
    any_variant = next(iter(metrics.values()))
    return {trait: score["photos"] for trait, score in any_variant["holdout"]["traits"].items()}


def _focus(curves: list[Line]) -> tuple[float, float]:
    """The range of Dice in which the curves differ: from just below most of their values to just above the best."""
    low = min(float(np.quantile(curve.y, 0.12)) for curve in curves)
    high = max(float(curve.y.max()) for curve in curves)
    room = 0.06 * max(high - low, 0.02)
    return max(0.0, low - room), min(1.0, high + room)
