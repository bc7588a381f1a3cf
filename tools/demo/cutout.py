"""The pictures of a photo and its mask: the mask, the photo with the person outlined, and the person cut out."""

import cv2
import numpy as np

from src.pictures import HIT

DIMMED = 0.35  # how much of the background's light the overlay keeps


def overlay(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3): the background dimmed to grey, and a line around the person; `mask` (H, W) is 0 and 1."""
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    picture = np.where(mask[..., None] > 0, photo, (grey * DIMMED + 255 * 0.3).astype(np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture, outlines, -1, HIT, max(1, round(max(mask.shape) / 400)))


def cutout(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGBA (H, W, 4): the person on nothing, with an edge softened by a pixel so that it sits well on any colour."""
    return np.dstack([photo, cv2.blur(mask * np.uint8(255), (3, 3))])


VIEWS = {"mask": lambda _, mask: mask * np.uint8(255), "overlay": overlay, "cutout": cutout}
