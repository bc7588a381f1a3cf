"""The pictures of a photo and its mask: the mask, the photo with the person outlined, and the person cut out."""

from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from src.pictures import HIT, write_picture

DIMMED = 0.35  # how much of the background's light the overlay keeps


class Names(NamedTuple):
    """The three files that are written for a photo."""

    mask: Path
    overlay: Path
    cutout: Path


def names(photos: list[Path], folder: Path) -> list[Names]:
    """The files for each of `photos`, in `folder`; photos of the same name get numbers."""
    stems: list[str] = []
    for photo in photos:
        tries = chain([photo.stem], (f"{photo.stem}-{number}" for number in count(2)))
        stems.append(next(stem for stem in tries if stem not in stems))
    return [Names(*(folder / f"{stem}-{kind}.png" for kind in Names._fields)) for stem in stems]


def write_all(photo: np.ndarray, mask: np.ndarray, files: Names) -> None:
    """Writes the mask, the overlay and the cut-out of `photo` (H, W, 3), RGB, with its `mask` (H, W; 0 and 1)."""
    for path, picture in zip(files, (mask * np.uint8(255), overlay(photo, mask), cutout(photo, mask)), strict=True):
        write_picture(picture, path)


def overlay(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3): the background dimmed to grey, and a line around the person."""
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    picture = np.where(mask[..., None] > 0, photo, (grey * DIMMED + 255 * 0.3).astype(np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture, outlines, -1, HIT, max(1, round(max(mask.shape) / 400)))


def cutout(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGBA (H, W, 4): the person on nothing, with an edge softened by a pixel so that it sits well on any colour."""
    return np.dstack([photo, cv2.blur(mask * np.uint8(255), (3, 3))])
