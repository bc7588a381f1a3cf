"""What the learning curves of a variant say: still learning, settled, or over-fitting."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.stage import UserError

TRAINING = Path("plots/training")
FELL = 0.01  # of validation Dice after its best epoch: more than the ups and downs of a settled curve
ROSE = 0.005  # of validation Dice over the last fifth: still worth waiting for


class Learning(NamedTuple):
    """One training: validation Dice (smoothed) and training loss per epoch, and the verdict on them."""

    dice: NDArray[np.float64]
    loss: NDArray[np.float64]
    best_epoch: int
    verdict: str  # improving, settled or over-fitting

    @property
    def fell(self) -> float:
        """How far validation Dice fell from its best epoch to the last one."""
        return float(self.dice[self.best_epoch] - self.dice[-1])


def read_learning(variant: str) -> Learning:
    """The curves that training recorded; raises UserError, saying how to get them, if they are not on this machine."""
    dice, loss = _read(variant, "val", "dice_smoothed"), _read(variant, "train", "loss")
    best = int(np.argmax(dice))
    return Learning(dice, loss, best, _verdict(dice, loss, best))


def _verdict(dice: NDArray[np.float64], loss: NDArray[np.float64], best: int) -> str:
    last = len(dice) - 1
    if dice[best] - dice[last] >= FELL and loss[last] < loss[best]:
        return "over-fitting"
    if best >= 0.9 * last and dice[best] - dice[int(0.8 * last)] >= ROSE:
        return "improving"
    return "settled"


def _read(variant: str, part: str, name: str) -> NDArray[np.float64]:
    path = TRAINING / variant / "plots/metrics" / part / f"{name}.tsv"
    if not path.exists():
        raise UserError(f"{path} is not on this machine; run dvc pull train@{variant}, or dvc repro train@{variant}")
    return pd.read_csv(path, sep="\t")[name].to_numpy(dtype=np.float64)
