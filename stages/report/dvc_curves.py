"""The curves of all variants side by side, one table per kind with a column per variant, for DVC's plots.

dvc.yaml draws one line per column, so a new variant needs no line there.
"""

from pathlib import Path

import pandas as pd

from src.formats.curves import read_curve
from src.formats.scores import read_holdout_dice, read_table
from src.page.charts import histogram


def write_curves(variants: list[str], folder: Path) -> None:
    """Writes the tables of `variants` to `folder`; a training that ended early leaves the rest of its column empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in {
        "val_dice": _epochs("val/dice", variants),
        "training_loss": _epochs("train/loss", variants),
        "threshold": _side_by_side([read_table(v, "threshold.tsv") for v in variants], variants),
        "holdout_dice": _side_by_side([histogram(read_holdout_dice(v), "dice") for v in variants], variants),
    }.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)


def _epochs(name: str, variants: list[str]) -> pd.DataFrame:
    """A row per epoch (`step`, from 0), a column per variant."""
    table = pd.DataFrame({variant: pd.Series(read_curve(variant, name)) for variant in variants})
    return table.rename_axis("step").reset_index()


def _side_by_side(tables: list[pd.DataFrame], variants: list[str]) -> pd.DataFrame:
    """The last column of each of `tables`, which share their first one."""
    columns = [table.iloc[:, -1].rename(variant) for table, variant in zip(tables, variants, strict=True)]
    return pd.concat([tables[0].iloc[:, 0], *columns], axis=1)
