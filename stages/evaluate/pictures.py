"""The pictures of a variant's masks."""

from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd

from src.formats.prepared import LABELLED, TRAITS, read_photos
from src.formats.scores import Shot, picture_path, shot_path, write_shots
from src.pictures import compare, write_picture
from stages.evaluate.choose_pictures import to_compare, to_show

PANEL = 256  # the longer side of a photo, in pixels
CAPTION = 22  # height of the line of text above it

Masks = Callable[[int], tuple[np.ndarray, np.ndarray]]  # position: the true and the predicted mask (H, W; 0 and 1)


def draw(variant: str, rows: pd.DataFrame, dice: pd.Series, masks: Masks) -> None:
    """Writes the pictures to compare and those of the page.

    `rows` (of photos.csv) and `dice` hold the same N photos, which `masks` has at the same positions.
    """
    photos = read_photos(LABELLED)
    traits = rows[list(TRAITS)]

    def panels(position: int, columns: int) -> np.ndarray:
        return _proportioned(photos[rows.index[position]], *masks(position), columns)

    for position in to_compare(rows):
        photo_id = rows["id"].iloc[position]
        picture = _captioned(panels(position, columns=4), f"photo {photo_id}, Dice {dice.iloc[position]:.3f}")
        write_picture(picture, picture_path(variant, photo_id))
    shots = []
    for kind, position in to_show(dice, traits):
        its_traits = " ".join(traits.columns[traits.iloc[position]])
        shots.append(Shot(rows["id"].iloc[position], kind, float(dice.iloc[position]), its_traits))
        write_picture(panels(position, columns=2), shot_path(variant, shots[-1].id))
    write_shots(variant, shots)


def _proportioned(photo: np.ndarray, target: np.ndarray, predicted: np.ndarray, columns: int) -> np.ndarray:
    """What `compare` gives of `photo` (S, S, 3), which is at the working size, in the proportions of its masks."""
    height, width = (max(8, round(PANEL * side / max(target.shape))) for side in target.shape)
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    target, predicted = (cv2.resize(m, (width, height), interpolation=cv2.INTER_NEAREST) for m in (target, predicted))
    return compare(small, target, predicted, columns)


def _captioned(picture: np.ndarray, caption: str) -> np.ndarray:
    line = np.full((CAPTION, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(line, caption, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([line, picture])
