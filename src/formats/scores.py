"""The format of plots/evaluation/VARIANT: what explains the metrics of a variant.

scores/photos.csv       every holdout and val photo: id, part, its scores and its pixels
pictures/ID.jpg         the same few holdout photos for every variant, for `dvc plots diff`: photo, true mask, predicted
                        mask and their difference, side by side
gallery/shots.csv       the photos on the variant's page, in its order: the columns of Shot
gallery/ID.webp         their pictures, likewise but two by two
"""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from src.errors import UserError
from src.formats.tables import read_table

EVALUATION = Path("plots/evaluation")


class Shot(NamedTuple):
    """A photo on the page of a variant."""

    id: str
    kind: str  # worst, median, best or a trait
    dice: float
    traits: str  # with a space between them


def write_scores(variant: str, photos: pd.DataFrame) -> None:
    """Writes scores/photos.csv of `variant`."""
    folder = EVALUATION / variant / "scores"
    folder.mkdir(parents=True, exist_ok=True)
    photos.to_csv(folder / "photos.csv", index=False)


def picture_path(variant: str, photo_id: str) -> Path:
    """The picture of a photo for `dvc plots diff`."""
    return EVALUATION / variant / "pictures" / f"{photo_id}.jpg"


def shot_path(variant: str, photo_id: str) -> Path:
    """The picture of a photo for the page of `variant`."""
    return EVALUATION / variant / "gallery" / f"{photo_id}.webp"


def write_shots(variant: str, shots: list[Shot]) -> None:
    """Writes gallery/shots.csv of `variant`, whose pictures are there."""
    pd.DataFrame(shots).to_csv(EVALUATION / variant / "gallery/shots.csv", index=False)


def read_shots(variant: str) -> list[tuple[Shot, bytes]]:
    """The photos on the page of `variant`, each with its picture, the bytes of a WebP file.

    Raises UserError if that is not what evaluate wrote.
    """
    table, again = EVALUATION / variant / "gallery/shots.csv", f"run dvc repro -f -s evaluate@{variant}"
    rows = read_table(table, Shot.__annotations__, again)[list(Shot._fields)]
    shots = []
    for shot in map(Shot._make, rows.itertuples(index=False)):
        path = shot_path(variant, shot.id)
        if path.parent != table.parent or not path.is_file():
            raise UserError(f"{path} is missing; {again}")
        shots.append((shot, path.read_bytes()))
    return shots
