"""The variants and ensembles side by side, best first."""

from collections.abc import Mapping

import numpy as np

from src.bootstrap import interval
from src.formats.metrics import HEADLINE, Headline, Metrics
from src.params import Section


class Behind(Section):
    """The leader's Dice minus a row's, the mean over the same photos, with its 95 % bootstrap interval."""

    dice: float
    low: float
    high: float


class Row(Headline):
    """A variant or an ensemble: its metrics on holdout, its Dice on val, its threshold and its cost."""

    variant: str
    val_dice: float
    threshold: float
    parameters: int
    gflop: float
    behind: Behind


class Board(Section):
    """What report/leaderboard.json holds: the best one, the best that is no ensemble, and all, best first."""

    release: str
    leader: str
    model: str
    variants: list[Row]

    def row(self, variant: str) -> Row | None:
        """That of `variant`, if there is one."""
        return next((row for row in self.variants if row.variant == variant), None)


def leaderboard(results: Mapping[str, Metrics], variants: list[str], release: str) -> Board:
    """The board of all `results`, which are those of `variants` and of the ensembles, by holdout Dice."""
    names = sorted(results, key=lambda name: (-results[name].holdout.dice, name))
    dice = {name: np.array(results[name].holdout.photo_dice) for name in names}
    rows = []
    for name in names:
        metrics, lack = results[name], dice[names[0]] - dice[name]
        low, high = interval(lack)
        row = Row(
            variant=name,
            val_dice=metrics.val.dice,
            threshold=metrics.threshold,
            behind=Behind(dice=float(lack.mean()), low=low, high=high),
            **metrics.holdout.model_dump(include=set(HEADLINE)),
            **metrics.cost.model_dump(),
        )
        rows.append(row)
    model = next(name for name in names if name in variants)
    return Board(release=release, leader=names[0], model=model, variants=rows)


def headline(board: Board) -> str:
    """One sentence: whether the release leads, and if not what to change."""
    start = "" if board.leader == board.model else f"{board.leader}, an ensemble, leads; of the models, "
    if board.model == board.release:
        return f"{start}{board.release}, the release, leads."
    model, release = board.row(board.model), board.row(board.release)
    if not (model and release):
        return f"{start}{board.model} leads; the release, {board.release}, is not among the variants."
    return (
        f"{start}{model.variant} leads, {model.dice - release.dice:.4f} Dice ahead of the release, "
        f"{release.variant}; to publish the leader, set release: {model.variant} in params.yaml."
    )
