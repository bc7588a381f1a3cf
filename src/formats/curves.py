"""The format of plots/training/VARIANT, which is DVCLive's: what was measured after each epoch of a training.

metrics.json                      the figures of the last epoch
plots/metrics/val/dice.tsv        a file per curve, with the columns `step` (the epoch, from 0) and the curve's own name
plots/images/panel_1/0003.png     a validation photo after epoch 3: photo, true mask, prediction, difference

The further folds of `train.folds` have a folder like this, without images, in plots/metrics/fold_NUMBER.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from src.formats.tables import read_table
from src.stage import UserError

TRAINING = Path("plots/training")
CURVES, IMAGES = "plots/metrics", "plots/images"


def read_curve(variant: str, name: str) -> NDArray[np.float64]:
    """The curve `name`, such as val/dice, float64 (epochs,); raises UserError if it is not on this machine."""
    path = TRAINING / variant / CURVES / f"{name}.tsv"
    if not path.exists():
        raise UserError(f"{path} is not on this machine; run dvc pull train@{variant}, or dvc repro train@{variant}")
    table = read_table(path, {path.stem: float}, f"run dvc repro -f -s train@{variant}")
    return table[path.stem].to_numpy(dtype=np.float64)
