"""Pictures of single photos: the photo, its true mask, the predicted one and where they differ."""

from pathlib import Path

import cv2
import numpy as np

PANEL = 256  # the longer side of one panel, in pixels
GAP = 4
CAPTION = 22  # height of the line of text above the panels
# RGB; told apart by the colour-blind too. Hits keep the photo's own light under them.
HIT, FALSE_ALARM, MISS = (38, 166, 154), (230, 97, 0), (106, 61, 175)


def compare(photo: np.ndarray, target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Photo, true mask, predicted mask and their difference side by side, uint8 RGB (H, 4 W + 3 GAP, 3).

    `photo` is uint8 RGB (H, W, 3), the masks are uint8 (H, W; 0 and 1).
    """
    gap = np.full((len(photo), GAP, 3), 255, np.uint8)
    panels = [photo, _white(target), _white(predicted), difference(photo, target, predicted)]
    return np.hstack([part for panel in panels for part in (gap, panel)][1:])


def captioned(photo: np.ndarray, target: np.ndarray, predicted: np.ndarray, caption: str) -> np.ndarray:
    """What `compare` gives, in the photo's own proportions and under a line of text.

    `photo` is uint8 RGB (S, S, 3) at the working size, the masks are uint8 (H, W; 0 and 1) at the photo's own.
    """
    height, width = (max(8, round(PANEL * side / max(target.shape))) for side in target.shape)
    small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    target, predicted = (cv2.resize(m, (width, height), interpolation=cv2.INTER_NEAREST) for m in (target, predicted))
    panels = compare(small, target, predicted)
    line = np.full((CAPTION, panels.shape[1], 3), 255, np.uint8)
    cv2.putText(line, caption, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([line, panels])


def two_by_two(picture: np.ndarray) -> np.ndarray:
    """The panels of a `captioned` picture, without the caption, in two rows of two, for pages that are narrow."""
    width = (picture.shape[1] - 3 * GAP) // 4
    photo, target, predicted, differing = (picture[CAPTION:, i * (width + GAP) :][:, :width] for i in range(4))
    column, row = (np.full(shape, 255, np.uint8) for shape in ((len(photo), GAP, 3), (GAP, 2 * width + GAP, 3)))
    return np.vstack([np.hstack([photo, column, target]), row, np.hstack([predicted, column, differing])])


def difference(photo: np.ndarray, target: np.ndarray, predicted: np.ndarray) -> np.ndarray:
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


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Writes a uint8 picture, (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, in the format that the name ends in.

    Raises OSError if it does not arrive whole: OpenCV's own writer only returns False where a disk is full.
    """
    orders = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    pixels = cv2.cvtColor(picture, orders[picture.shape[2]]) if picture.ndim == 3 else picture
    path.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, 85] if path.suffix == ".jpg" else []
    path.write_bytes(cv2.imencode(path.suffix, pixels, options)[1].tobytes())


def _white(mask: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(mask * np.uint8(255), cv2.COLOR_GRAY2RGB)
