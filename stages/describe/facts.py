"""What is in the photos, before any model: counts, sizes, coverage, hard cases, copies, and labels that look wrong."""

from typing import Any

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


def suspicion(mask: np.ndarray) -> str:
    """Why `mask`, uint8 (S, S; 0 and 1), may be wrong: empty, nearly full, along the frame, or a box; else ""."""
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
    """The figures of the page: photos of each part and, if known, of each trait; sizes, coverage, near-duplicates."""
    parts = {part: labelled[(split["part"] == part).to_numpy()] for part in ("train", "val", "holdout")}
    parts |= {"all labelled": labelled, "test": test}
    both = pd.concat([labelled, test])
    sizes = both["width"].astype(str) + " x " + both["height"].astype(str)
    copies = split.groupby("group")["id"].apply(list)
    return {
        "parts": {
            name: {"photos": len(rows)} | {trait: int(rows[trait].sum()) for trait in TRAITS if trait in rows}
            for name, rows in parts.items()
        },
        "sizes": list(sizes.value_counts().items()),
        "coverage": labelled["coverage"].describe()[["min", "25%", "50%", "75%", "max"]].to_dict(),
        "copies": [ids for ids in copies if len(ids) > 1],
    }


def examples(rows: pd.DataFrame, each: int) -> dict[str, list[int]]:
    """Positions of photos to show, at even steps: twice `each` of "any" kind, and `each` of every trait."""
    shown = {}
    for kind in ("any", *TRAITS):
        having = np.flatnonzero(rows[kind]) if kind in TRAITS else np.arange(len(rows))
        count = min(each if kind in TRAITS else 2 * each, len(having))
        shown[kind] = having[np.linspace(0, len(having) - 1, count).round().astype(int)].tolist()
    return shown


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
    rooms = [[((TILE - side) // 2, (TILE - side + 1) // 2) for side in picture.shape[:2]] for picture in tiles]
    squares = [np.pad(one, [*room, (0, 0)], constant_values=255) for one, room in zip(tiles, rooms, strict=True)]
    rows = -(-len(tiles) // columns)
    return montage(squares, fill=[255] * 3, grid_shape=(rows, columns), channel_axis=-1)
