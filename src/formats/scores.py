"""The format of plots/evaluation/VARIANT: what explains the metrics of a variant.

scores/threshold.tsv   mean val Dice at each of THRESHOLDS, before the clean-up
scores/photos.csv      every holdout and val photo: id, part, its scores and its pixels
scores/pictures.csv    what the pictures show: file, kind (worst, median, best or a trait), place, id, dice
pictures/KIND_PLACE.jpg    photo, true mask, prediction and their difference, side by side
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.formats import tables
from src.stage import UserError

COUNTS = {"dice": float, "dice_raw": float, "iou": float, "boundary_iou": float, "precision": float, "recall": float}
TABLES: dict[str, dict[str, type]] = {
    "threshold.tsv": {"threshold": float, "dice": float},
    "photos.csv": {"id": str, "part": str, **COUNTS},
    "pictures.csv": {"file": str, "kind": str, "place": int, "id": str, "dice": float},
}
EVALUATION = Path("plots/evaluation")
# A map's pixel is a byte; each threshold lies halfway between two bytes, so that 0.5 means "128 or more".
THRESHOLDS = np.round((np.arange(1, 256) - 0.5) / 255, 4)


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
    photos.to_csv(folder / "photos.csv", index=False)
    pictures.to_csv(folder / "pictures.csv", index=False)


def read_table(variant: str, name: str) -> pd.DataFrame:
    """One of the tables of `variant`; raises UserError, saying how to get it, if it is not on this machine."""
    path = scores_folder(variant) / name
    if not path.exists():
        raise absent(path, variant)
    return tables.read_table(path, TABLES[name], f"run dvc repro -f -s evaluate@{variant}")


def read_holdout_dice(variant: str) -> NDArray[np.float64]:
    """The Dice of each holdout photo, float64 (N,)."""
    photos = read_table(variant, "photos.csv")
    return photos.loc[photos["part"] == "holdout", "dice"].to_numpy(dtype=np.float64)


def absent(path: Path, variant: str) -> UserError:
    """What to say when a file of `variant` is not on this machine."""
    return UserError(f"{path} is not on this machine; run dvc pull evaluate@{variant}, or dvc repro evaluate@{variant}")
