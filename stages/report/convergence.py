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
    dice, loss = (np.asarray(curves[name], np.float64) for name in ("val/dice_smoothed", "train/loss"))
    best, last, verdict = int(np.argmax(dice)), len(dice) - 1, "settled"
    if dice[best] - dice[last] >= FELL and loss[last] < loss[best]:
        verdict = "over-fitting"
    elif best >= 0.9 * last and dice[best] - dice[int(0.8 * last)] >= ROSE:
        verdict = "improving"
    return Convergence(dice, loss, best, verdict)
