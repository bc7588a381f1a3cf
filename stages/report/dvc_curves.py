"""The curves of all variants side by side, one table per kind with a column per variant, for DVC's plots.

dvc.yaml draws one line per column, so a new variant needs no line there.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from src.charts import histogram
from src.formats.metrics import THRESHOLDS, Metrics


def write_curves(metrics: Mapping[str, Metrics], folder: Path) -> None:
    """Writes the tables of the variants in `metrics` to `folder`; a training that ended early leaves the rest of its
    column empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    histograms = {name: histogram(m.holdout.photo_dice, "dice").set_index("dice") for name, m in metrics.items()}
    for name, table in {
        "val_dice": _epochs("val/dice", metrics),
        "training_loss": _epochs("train/loss", metrics),
        "threshold": pd.DataFrame(
            {variant: m.threshold_curve for variant, m in metrics.items()},
            index=pd.Index(THRESHOLDS, name="threshold"),
        ),
        "holdout_dice": pd.DataFrame({variant: table["photos"] for variant, table in histograms.items()}),
    }.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t")


def _epochs(name: str, metrics: Mapping[str, Metrics]) -> pd.DataFrame:
    """A row per epoch (`step`, from 0), a column per variant."""
    columns = {variant: pd.Series(m.curves[name]) for variant, m in metrics.items()}
    return pd.DataFrame(columns).rename_axis("step")
