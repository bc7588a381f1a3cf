"""The format of plots/evaluation/VARIANT: what explains its metrics, for the report and for DVC's plots.

scores/threshold.tsv   mean val Dice at each threshold, before the clean-up
scores/histogram.tsv   how many holdout photos have which Dice
scores/photos.csv      every holdout and val photo: id, part, its scores and its pixels
scores/pictures.csv    what the pictures show: file, kind (worst, median, best or a trait), place, id, dice
pictures/KIND_PLACE.jpg    photo, true mask, prediction and their difference, side by side
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.stage import UserError
from src.threshold import THRESHOLDS

EVALUATION = Path("plots/evaluation")
BIN = 0.05


def scores_folder(variant: str) -> Path:
    """Where the tables of `variant` are."""
    return EVALUATION / variant / "scores"


def pictures_folder(variant: str) -> Path:
    """Where the pictures of `variant` are."""
    return EVALUATION / variant / "pictures"


def write_tables(variant: str, curve: NDArray[np.float64], photos: pd.DataFrame, pictures: pd.DataFrame) -> None:
    """Writes all tables of `variant`; `curve` (255,) is the Dice at each of THRESHOLDS."""
    folder = scores_folder(variant)
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"threshold": THRESHOLDS, "dice": curve.round(6)}).to_csv(
        folder / "threshold.tsv", sep="\t", index=False
    )
    histogram(photos.loc[photos["part"] == "holdout", "dice"].to_numpy()).to_csv(
        folder / "histogram.tsv", sep="\t", index=False
    )
    photos.to_csv(folder / "photos.csv", index=False)
    pictures.to_csv(folder / "pictures.csv", index=False)


def read_table(variant: str, name: str) -> pd.DataFrame:
    """One of the tables of `variant`; raises UserError, saying how to get it, if it is not on this machine."""
    path = scores_folder(variant) / name
    if not path.exists():
        raise absent(path, variant)
    return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", dtype={"id": str})


def absent(path: Path, variant: str) -> UserError:
    """What to say when a file of `variant` is not on this machine."""
    return UserError(f"{path} is not on this machine; run dvc pull evaluate@{variant}, or dvc repro evaluate@{variant}")


def histogram(dice: NDArray[np.float64]) -> pd.DataFrame:
    """How many photos have a Dice in each twentieth; the last one includes 1."""
    edges = np.linspace(0, 1, round(1 / BIN) + 1)
    counts, _ = np.histogram(dice, edges)
    return pd.DataFrame({"dice": edges[:-1].round(2), "photos": counts})
