"""The format of plots/training/VARIANT, which is DVCLive's: what was measured after each epoch of a training.

metrics.json                      the figures of the last epoch
plots/metrics/val/dice.tsv        a file per curve, with the columns `step` (the epoch, from 0) and the curve's own name
plots/images/panel_1/0003.png     a validation photo after epoch 3: photo, true mask, prediction, difference

The further folds of `train.folds` have a folder like this, without images, in plots/metrics/fold_NUMBER.
"""

from pathlib import Path

from src.formats.tables import read_table

TRAINING = Path("plots/training")
CURVES, IMAGES = "plots/metrics", "plots/images"
REPORTED = ("val/dice", "val/dice_smoothed", "train/loss", "train/image_size")


def read_curves(variant: str) -> dict[str, list[float]]:
    """The REPORTED curves by name, a value per epoch; {} for an ensemble. Raises UserError if one is damaged."""
    folder = TRAINING / variant / CURVES
    if not folder.exists():
        return {}
    curves = {}
    for name in REPORTED:
        path = folder / f"{name}.tsv"
        table = read_table(path, {path.stem: float}, f"run dvc repro -f -s train@{variant}")
        curves[name] = table[path.stem].round(8).tolist()
    return curves
