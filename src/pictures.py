"""Pictures of single photos: the photo, its true mask, the predicted one and where they differ."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from src.images import Array8
from src.traits import TRAITS

PANEL = 256  # the longer side of one panel, in pixels
GAP = 4
CAPTION = 22  # height of the line of text above the panels
EACH = 4  # photos of each kind
# RGB; told apart by the colour-blind too. Hits keep the photo's own light under them.
HIT, FALSE_ALARM, MISS = (38, 166, 154), (230, 97, 0), (106, 61, 175)


class Choice(NamedTuple):
    """A photo worth looking at: why (worst, median, best, or the worst of a trait), and its place among those."""

    kind: str
    place: int
    position: int


def choose(dice: pd.Series, traits: pd.DataFrame, each: int = EACH) -> list[Choice]:
    """Which photos to show, as positions in `dice` (N,): worst, median, best, and each trait's worst if not among them.

    A photo is chosen once; equal Dice goes by position, so the choice is the same every time.
    """
    order = np.argsort(dice.to_numpy(), kind="stable")
    middle = max(0, (len(order) - each) // 2)
    groups = {"worst": order[:each], "median": order[middle : middle + each], "best": order[::-1][:each]}
    groups |= {trait: order[traits[trait].to_numpy(dtype=bool)[order]][:1] for trait in TRAITS}
    chosen: list[Choice] = []
    for kind, positions in groups.items():
        seen = {choice.position for choice in chosen}
        new = [int(position) for position in positions if int(position) not in seen]
        chosen += [Choice(kind, place, index) for place, index in enumerate(new, start=1)]
    return chosen


def strip(photo: Array8, target: Array8, predicted: Array8, caption: str) -> Array8:
    """One RGB picture of four panels in the photo's own proportions, under a line of text.

    `photo` is uint8 (S, S, 3) at the working size, the masks are (H, W; 0 and 1) at the photo's own.
    """
    height, width = (max(8, round(PANEL * side / max(target.shape))) for side in target.shape)
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    target, predicted = (cv2.resize(m, (width, height), interpolation=cv2.INTER_NEAREST) for m in (target, predicted))
    panels = [small, _white(target), _white(predicted), difference(small, target, predicted)]
    canvas = np.full((CAPTION + height, 4 * width + 3 * GAP, 3), 255, np.uint8)
    for number, panel in enumerate(panels):
        left = number * (width + GAP)
        canvas[CAPTION:, left : left + width] = panel
    cv2.putText(canvas, caption, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return canvas


def two_by_two(picture: Array8) -> Array8:
    """The panels of a `strip`, without its caption, in two rows of two: larger where width is what lacks."""
    width = (picture.shape[1] - 3 * GAP) // 4
    photo, target, predicted, differing = (picture[CAPTION:, i * (width + GAP) :][:, :width] for i in range(4))
    column, row = (np.full(shape, 255, np.uint8) for shape in ((len(photo), GAP, 3), (GAP, 2 * width + GAP, 3)))
    return np.vstack([np.hstack([photo, column, target]), row, np.hstack([predicted, column, differing])])


def difference(photo: Array8, target: Array8, predicted: Array8) -> Array8:
    """`photo` (H, W, 3) in grey, tinted where a mask says person: HIT in both, FALSE_ALARM or MISS in one only."""
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32)
    tint, share = grey.copy(), np.zeros(target.shape, np.float32)
    for region, colour, strength in (
        (target & predicted, HIT, 0.45),
        (predicted & ~target & 1, FALSE_ALARM, 0.8),
        (target & ~predicted & 1, MISS, 0.8),
    ):
        tint[region > 0], share[region > 0] = colour, strength
    return (grey + (tint - grey) * share[..., None]).round().astype(np.uint8)


def write_picture(picture: Array8, path: Path) -> None:
    """Writes an RGB picture as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


def _white(mask: Array8) -> Array8:
    return cv2.cvtColor(mask * np.uint8(255), cv2.COLOR_GRAY2RGB)
