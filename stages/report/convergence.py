"""What the learning curves of a variant say: still improving, settled, or over-fitting."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FELL = 0.01  # of validation Dice after its best epoch: more than the ups and downs of a settled curve
ROSE = 0.005  # of validation Dice over the last fifth: still worth waiting for


class Convergence(NamedTuple):
    """One training: validation Dice (smoothed) and training loss per epoch, and the verdict on them."""

    dice: NDArray[np.float64]
    loss: NDArray[np.float64]
    best_epoch: int
    verdict: str  # improving, settled or over-fitting

    @property
    def fell(self) -> float:
        """How far validation Dice fell from its best epoch to the last one."""
        return float(self.dice[self.best_epoch] - self.dice[-1])


def convergence(curves: Mapping[str, Sequence[float]]) -> Convergence:
    """What the `curves` of a training say; see src/formats/curves.py."""
    names = ("val/dice_smoothed", "train/loss", "train/image_size")
    dice, loss, size = (np.asarray(curves[name], np.float64) for name in names)
    first = int(np.argmax(size == size[-1]))  # before it, photos were halved: another Dice, and no weights are kept
    best = first + int(np.argmax(dice[first:]))
    return Convergence(dice, loss, best, _verdict(dice[first:], loss[first:], best - first))


def _verdict(dice: NDArray[np.float64], loss: NDArray[np.float64], best: int) -> str:
    last = len(dice) - 1
    if dice[best] - dice[last] >= FELL and loss[last] < loss[best]:
        return "over-fitting"
    if best >= 0.9 * last and dice[best] - dice[int(0.8 * last)] >= ROSE:
        return "improving"
    return "settled"
