"""The curves of all variants side by side, one table per kind with a column per variant, for DVC's plots.

dvc.yaml draws one line per column, so a new variant needs no line there.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from src.charts import histogram
from src.formats.metrics import THRESHOLDS, Metrics

TABLES: dict[str, tuple[str, Callable[[Metrics], pd.Series]]] = {  # the first column, and what the others hold
    "val_dice": ("step", lambda metrics: pd.Series(metrics.curves["val/dice"])),
    "training_loss": ("step", lambda metrics: pd.Series(metrics.curves["train/loss"])),
    "threshold": ("threshold", lambda metrics: pd.Series(metrics.threshold_curve, THRESHOLDS)),
    "holdout_dice": ("dice", lambda metrics: histogram(metrics.holdout.photo_dice, "dice").set_index("dice")["photos"]),
}


def write_curves(metrics: Mapping[str, Metrics], folder: Path) -> None:
    """Writes the tables to `folder`; a training that ended early leaves the rest of its column empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (index, column) in TABLES.items():
        table = pd.DataFrame({variant: column(known) for variant, known in metrics.items()}).rename_axis(index)
        table.to_csv(folder / f"{name}.tsv", sep="\t")
