"""What is in the photos, before any model: counts, sizes, coverage, hard cases, copies, and labels that look wrong."""

from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from skimage.segmentation import find_boundaries
from skimage.util import montage

from src.formats.prepared import TRAITS

TILE = 168  # the longer side of a photo on the page
OUTLINE = (255, 214, 0)
FULL = 0.95  # coverage above which nearly all of the photo is called person
HUGS = 0.6  # share of the photo's border that is called person: more likely an inverted mask than a close-up
BOX = 0.97  # share of its bounding box that a mask fills: a drawn rectangle, not an outline


class Suspect(NamedTuple):
    """A labelled photo, by position, whose mask may be wrong, and why."""

    position: int
    why: str


def suspects(masks: np.ndarray) -> list[Suspect]:
    """The masks, uint8 (N, S, S) with values 0 and 1, that are empty, nearly full, hug the frame or fill a box."""
    return [Suspect(index, why) for index, mask in enumerate(masks) if (why := _why(mask))]


def _why(mask: np.ndarray) -> str:
    covered = int(np.count_nonzero(mask))
    if not covered:
        return "empty: nobody is marked"
    if covered > FULL * mask.size:
        return f"full: {covered / mask.size:.0%} of the photo is marked"
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean()
    if border >= HUGS:
        return f"hugs the frame: {border:.0%} of the border is marked; inverted?"
    _, _, width, height = cv2.boundingRect(mask)
    if covered >= BOX * width * height and min(width, height) > 2:
        return "a rectangle rather than an outline"
    return ""


def facts(labelled: pd.DataFrame, test: pd.DataFrame, split: pd.DataFrame) -> dict[str, Any]:
    """The figures of the page: photos, sizes and traits per part, and coverage and groups of near-duplicates."""
    parts = {part: labelled[(split["part"] == part).to_numpy()] for part in ("train", "val", "holdout")}
    parts |= {"all labelled": labelled, "test": test}
    copies = split.groupby("group")["id"].apply(list)
    return {
        "parts": [{"name": name, "photos": len(rows), "traits": _shares(rows)} for name, rows in parts.items()],
        "sizes": _sizes(labelled, test),
        "coverage": labelled["coverage"].describe()[["min", "25%", "50%", "75%", "max"]].to_dict(),
        "copies": [ids for ids in copies if len(ids) > 1],
    }


def examples(rows: pd.DataFrame, each: int) -> dict[str, list[int]]:
    """Positions of photos to show: `each` at even steps through all, then as many of every trait."""
    shown = {"any": _spread(np.arange(len(rows)), 2 * each)}
    return shown | {trait: _spread(np.flatnonzero(rows[trait]), each) for trait in TRAITS}


def tile(photo: np.ndarray, mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """`photo` (S, S, 3) in its own proportions, with the outline of `mask` (S, S; 0 and 1) and the rest dimmed."""
    scale = TILE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    person = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    small[person == 0] = (small[person == 0] * 0.55 + 40).astype(np.uint8)
    small[find_boundaries(person, mode="inner")] = OUTLINE
    return small


def contact_sheet(tiles: list[np.ndarray], columns: int = 8) -> np.ndarray:
    """The tiles in rows, each in the middle of a square on white, as one RGB picture."""
    squares = []
    for picture in tiles:
        room = [((TILE - side) // 2, (TILE - side + 1) // 2) for side in picture.shape[:2]]
        squares.append(np.pad(picture, [*room, (0, 0)], constant_values=255))
    rows = -(-len(tiles) // columns)
    return montage(squares, fill=[255] * 3, grid_shape=(rows, columns), channel_axis=-1)


def _shares(rows: pd.DataFrame) -> dict[str, int | None]:
    """How many photos have each trait; None where only a mask could tell."""
    return {trait: int(rows[trait].sum()) if trait in rows else None for trait in TRAITS}


def _sizes(labelled: pd.DataFrame, test: pd.DataFrame) -> list[tuple[str, int]]:
    both = pd.concat([labelled, test])
    sizes = both["width"].astype(str) + " x " + both["height"].astype(str)
    return [(str(size), int(count)) for size, count in sizes.value_counts(sort=True).items()]


def _spread(positions: np.ndarray, limit: int) -> list[int]:
    steps = np.linspace(0, len(positions) - 1, min(limit, len(positions))).round().astype(int)
    return [int(positions[step]) for step in steps]
