"""The format of plots/evaluation/VARIANT: what explains the metrics of a variant.

scores/photos.csv      every holdout and val photo: id, part, its scores and its pixels
scores/pictures.csv    what the pictures show: file, kind (worst, median, best or a trait), place, id, dice, and traits
                       with a space between them
pictures/KIND_PLACE.jpg    photo, true mask, prediction and their difference, side by side
"""

from pathlib import Path

import pandas as pd

from src.errors import UserError
from src.formats.tables import read_table

EVALUATION = Path("plots/evaluation")
PICTURES = {"file": str, "kind": str, "place": int, "id": str, "dice": float, "traits": str}


def scores_folder(variant: str) -> Path:
    """Where the tables of `variant` are."""
    return EVALUATION / variant / "scores"


def pictures_folder(variant: str) -> Path:
    """Where the pictures of `variant` are."""
    return EVALUATION / variant / "pictures"


def write_tables(variant: str, photos: pd.DataFrame, pictures: pd.DataFrame) -> None:
    """Writes both tables of `variant`."""
    folder = scores_folder(variant)
    folder.mkdir(parents=True, exist_ok=True)
    photos.to_csv(folder / "photos.csv", index=False)
    pictures.to_csv(folder / "pictures.csv", index=False)


def read_pictures(variant: str) -> pd.DataFrame:
    """What the pictures of `variant` show, a row for each; raises UserError if it is not what evaluate wrote."""
    path, again = scores_folder(variant) / "pictures.csv", f"run dvc repro -f -s evaluate@{variant}"
    pictures = read_table(path, PICTURES, again)
    if elsewhere := [name for name in pictures["file"] if "/" in name]:
        raise UserError(f"{path}: {elsewhere[0]!r} is not in the folder of pictures; {again}")
    return pictures
