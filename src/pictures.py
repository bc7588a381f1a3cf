"""Pictures of single photos: the photo, its true mask, the predicted one and where they differ."""

from pathlib import Path

import cv2
import numpy as np

GAP = 4  # pixels between panels
# RGB; told apart by the colour-blind too. Hits keep the photo's own light under them.
HIT, FALSE_ALARM, MISS = (38, 166, 154), (230, 97, 0), (106, 61, 175)
OPTIONS = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 85],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 62],  # for pages: photos still look right, and eight variants stay below 5 MB
}


def compare(photo: np.ndarray, target: np.ndarray, predicted: np.ndarray, columns: int = 4) -> np.ndarray:
    """Photo, true mask, predicted mask and their difference, uint8 RGB, in rows of `columns` panels.

    `photo` is uint8 RGB (H, W, 3), the masks are uint8 (H, W; 0 and 1).
    """
    panels = [photo, _white(target), _white(predicted), difference(photo, target, predicted)]
    rows = [_join(panels[i : i + columns], axis=1) for i in range(0, len(panels), columns)]
    return _join(rows, axis=0)


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


def encode(picture: np.ndarray, suffix: str) -> bytes:
    """A uint8 picture, (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, in the format of files that end in `suffix`."""
    orders = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    pixels = cv2.cvtColor(picture, orders[picture.shape[2]]) if picture.ndim == 3 else picture
    return cv2.imencode(suffix, pixels, OPTIONS.get(suffix, []))[1].tobytes()


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Writes a picture as `encode` has it, in the format that the name ends in.

    Raises OSError if it does not arrive whole: OpenCV's own writer only returns False where a disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(picture, path.suffix))


def _join(panels: list[np.ndarray], axis: int) -> np.ndarray:
    """The panels beside (axis 1) or below (axis 0) each other, with white between them."""
    gap = np.full((GAP, panels[0].shape[1], 3) if axis == 0 else (len(panels[0]), GAP, 3), 255, np.uint8)
    return np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis)


def _white(mask: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(mask * np.uint8(255), cv2.COLOR_GRAY2RGB)
