"""Reading photos and masks from files, whatever their encoding."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from src.stage import UserError

# Our own error names the file; OpenCV's warning about the same file would only stand beside it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def read_photo(path: Path) -> np.ndarray:
    """The photo as RGB, uint8 (H, W, 3), turned upright by its EXIF tag; raises UserError if it cannot be decoded."""
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_mask(path: Path) -> np.ndarray:
    """The mask as uint8 (H, W) with values 0 and 1: person is whatever is above zero in any channel.

    This holds for 0/1 and 0/255 values, for 1, 8 and 16 bits, and for RGB, palette and greyscale files alike; an alpha
    channel says nothing. Raises UserError if the file cannot be decoded.
    """
    pixels = _decode(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return (pixels.max(axis=2) > 0).astype(np.uint8) if pixels.dtype != np.uint8 else _any_channel(pixels)


def resize_photo(photo: np.ndarray, size: int) -> np.ndarray:
    """`photo` (H, W, 3) as (size, size, 3), area-averaged when it shrinks, so that nothing aliases."""
    return cv2.resize(photo, (size, size), interpolation=_interpolation(photo, size))


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """`mask` (H, W) of 0 and 1 as (size, size), 0 to 255: the share of the area behind a pixel that is person."""
    return cv2.resize(mask * np.uint8(255), (size, size), interpolation=_interpolation(mask, size))


def _interpolation(image: np.ndarray, size: int) -> int:
    return cv2.INTER_AREA if min(image.shape[:2]) >= size else cv2.INTER_LINEAR


def _binary(image: np.ndarray, limit: int) -> np.ndarray:
    """1 above `limit`, else 0."""
    return cv2.threshold(image, limit, 1, cv2.THRESH_BINARY)[1]


def _any_channel(pixels: np.ndarray) -> np.ndarray:
    blue, green, red = cv2.split(pixels)
    return _binary(cv2.bitwise_or(cv2.bitwise_or(blue, green), red), 0)


def _decode(path: Path, flags: int) -> NDArray:
    data = np.fromfile(path, np.uint8)
    if not data.size:
        raise UserError(f"{path}: the file is empty; replace it")
    pixels = cv2.imdecode(data, flags)  # imread would return half of a JPEG file that is cut short
    if pixels is None:
        raise UserError(f"{path}: not a readable image (damaged, cut short, or of another type); replace it")
    return pixels
