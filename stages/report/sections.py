"""What the report shows, gathered from the metrics: charts, tables, and what learning curves say."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from src.charts import Line, bars, histogram, intervals, lines, points
from src.formats.metrics import THRESHOLDS, Metrics
from stages.report.leaderboard import Board

PASS_MARK = 0.75  # of the competition
FELL = 0.01  # of validation Dice after its best epoch: more than the ups and downs of a settled curve
ROSE = 0.005  # of validation Dice over the last fifth: still worth waiting for


class Convergence(NamedTuple):
    """One training: validation Dice (smoothed) and training loss per epoch, and the verdict on them."""

    dice: NDArray[np.float64]
    loss: NDArray[np.float64]
    best_epoch: int
    verdict: str  # improving, settled or over-fitting


def convergence(curves: Mapping[str, Sequence[float]]) -> Convergence:
    """What the `curves` of a training say; see src/formats/curves.py."""
    names = ("val/dice_smoothed", "train/loss", "train/image_size")
    dice, loss, size = (np.asarray(curves[name], np.float64) for name in names)
    first = int(np.argmax(size == size[-1]))  # before it, photos were halved: another Dice, and no weights are kept
    best, last, verdict = first + int(np.argmax(dice[first:])), len(dice) - 1, "settled"
    if last - best > 1 and dice[best] - dice[last] >= FELL and loss[last] < loss[best]:
        verdict = "over-fitting"
    elif best - first >= 0.9 * (last - first) and dice[best] - dice[first + int(0.8 * (last - first))] >= ROSE:
        verdict = "improving"
    return Convergence(dice, loss, best, verdict)


def charts(board: Board, metrics: dict[str, Metrics], learning: dict[str, Convergence]) -> dict[str, Markup]:
    """The charts of all variants together, coloured by their place on the leaderboard."""
    rows = board.variants
    dice, loss, threshold = [], [], []
    for number, row in enumerate(rows):
        if curves := learning.get(row.variant):  # an ensemble has none
            epochs = np.arange(1, len(curves.dice) + 1, dtype=float)
            dice.append(Line(number, epochs, curves.dice, curves.best_epoch))
            loss.append(Line(number, epochs, curves.loss, curves.best_epoch))
        curve = np.array(metrics[row.variant].threshold_curve)
        chosen = int(np.argmin(np.abs(THRESHOLDS - row.threshold)))
        threshold.append(Line(number, THRESHOLDS, curve, chosen))
    spans = [(row.dice, row.dice_low, row.dice_high) for row in rows]
    sizes = [(row.parameters / 1e6, *span) for row, span in zip(rows, spans, strict=True)]
    work = [(row.gflop, *span) for row, span in zip(rows, spans, strict=True)]
    return {
        "intervals": intervals("intervals", [row.variant for row in rows], spans, "Dice on holdout"),
        "parameters": points("parameters", sizes, "parameters, in millions", "Dice on holdout"),
        "gflop": points("gflop", work, "GFLOP per photo", "Dice on holdout"),
        "dice": lines("dice", dice, "epoch", "validation Dice", _focus(dice)),
        "loss": lines("loss", loss, "epoch", "training loss", (0, 1.05 * max(float(c.y.max()) for c in loss))),
        "threshold": lines("threshold", threshold, "threshold", "Dice on val", _focus(threshold)),
    }


def histograms(board: Board, metrics: dict[str, Metrics]) -> dict[str, Markup]:
    """A histogram of Dice over holdout photos for each variant."""
    names = [row.variant for row in board.variants]
    tables = {name: histogram(metrics[name].holdout.photo_dice, "dice") for name in names}
    return {name: bars(f"histogram-{name}", tables[name], place, small=True) for place, name in enumerate(names)}


def trait_table(board: Board, metrics: dict[str, Metrics]) -> dict[str, list[tuple[float, float]]]:
    """For each variant the Dice of all holdout photos and of those with each trait, and its warmth from 0, the
    lowest of the table, to 1, the highest."""
    parts = {row.variant: metrics[row.variant].holdout for row in board.variants}
    table = {name: [part.dice, *(score.dice for score in part.traits.values())] for name, part in parts.items()}
    low, high = (limit(value for row in table.values() for value in row) for limit in (min, max))
    return {
        name: [(value, (value - low) / (high - low) if high > low else 1.0) for value in row]
        for name, row in table.items()
    }


def _focus(curves: list[Line]) -> tuple[float, float]:
    """The range of Dice in which the curves differ: from just below most of their values to just above the best."""
    low = min(float(np.quantile(curve.y, 0.12)) for curve in curves)
    high = max(float(curve.y.max()) for curve in curves)
    room = 0.06 * max(high - low, 0.02)
    return max(0.0, low - room), min(1.0, high + room)
