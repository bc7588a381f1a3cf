"""The pictures of a variant's masks: which holdout photos get one, and what it shows."""

from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pandas as pd

from src.formats.prepared import LABELLED, TRAITS, read_photos
from src.page.render import data_uri, write_page
from src.pictures import compare, encode, write_picture

EACH = 4  # photos of each kind on the page
COMPARED = 8  # photos to compare, and one more for each trait that none of them has
PANEL = 256  # the longer side of a photo, in pixels
CAPTION = 22  # height of the line of text above it

Masks = Callable[[int], tuple[np.ndarray, np.ndarray]]  # position: the true and the predicted mask (H, W; 0 and 1)


def draw(variant: str, folder: Path, rows: pd.DataFrame, dice: pd.Series, masks: Masks) -> None:
    """Writes the pictures to compare, `folder`/ID.jpg, and the variant's page, report/gallery/VARIANT.html.

    `rows` (of photos.csv) and `dice` hold the same N photos, which `masks` has at the same positions.
    """
    photos = read_photos(LABELLED)
    traits = rows[list(TRAITS)]

    def panels(position: int, columns: int) -> np.ndarray:
        target, predicted = masks(position)
        # The photo is at the working size: all are drawn in the proportions of its masks.
        size = [max(8, round(PANEL * side / max(target.shape))) for side in target.shape[::-1]]
        photo = cv2.resize(photos[rows.index[position]], size, interpolation=cv2.INTER_AREA)
        target, predicted = (cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) for mask in (target, predicted))
        return compare(photo, target, predicted, columns)

    for position in to_compare(rows):
        photo_id = rows["id"].iloc[position]
        picture = _captioned(panels(position, columns=4), f"photo {photo_id}, Dice {dice.iloc[position]:.3f}")
        write_picture(picture, folder / f"{photo_id}.jpg")
    shots = [
        {
            "id": rows["id"].iloc[position],
            "kind": kind,
            "dice": dice.iloc[position],
            "traits": list(traits.columns[traits.iloc[position]]),
            "picture": data_uri(encode(panels(position, columns=2), ".webp")),
        }
        for kind, position in to_show(dice, traits)
    ]
    write_page(f"gallery/{variant}", Path(__file__).with_name("gallery.html"), variant=variant, shots=shots)


def to_compare(rows: pd.DataFrame, most: int = COMPARED) -> list[int]:
    """Positions in `rows` (N rows of photos.csv) of the photos to compare, the same for every variant: by a hash of the
    id, so that a photo more or less changes one picture at most for each reason."""
    order = np.array(sorted(range(len(rows)), key=lambda i: (crc32(rows["id"].iloc[i].encode()), i)))
    return np.unique(np.concatenate([order[:most], *_first_of_traits(order, rows).values()])).tolist()


def to_show(dice: pd.Series, traits: pd.DataFrame, each: int = EACH) -> list[tuple[str, int]]:
    """Which photos the page shows, as kind and position in `dice` (N,): the worst, median and best ones, and the worst
    of each trait if it is not among them. Equal Dice goes by position."""
    order = np.argsort(dice.to_numpy(), kind="stable")
    middle = max(0, (len(order) - each) // 2)
    groups = {"worst": order[:each], "median": order[middle : middle + each], "best": order[::-1][:each]}
    kinds: dict[int, str] = {}
    for kind, positions in (groups | _first_of_traits(order, traits)).items():
        for position in positions.tolist():
            kinds.setdefault(position, kind)
    return [(kind, position) for position, kind in kinds.items()]


def _first_of_traits(order: np.ndarray, traits: pd.DataFrame) -> dict[str, np.ndarray]:
    """The first position in `order` (N,) that has each trait of `traits` (N rows), or none."""
    return {trait: order[traits[trait].to_numpy(dtype=bool)[order]][:1] for trait in TRAITS}


def _captioned(picture: np.ndarray, caption: str) -> np.ndarray:
    line = np.full((CAPTION, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(line, caption, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([line, picture])
