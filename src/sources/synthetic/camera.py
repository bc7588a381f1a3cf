"""What lenses, sensors and files do to pictures: light and shade, focus, white balance, grain, JPEG."""

import cv2
import numpy as np

from src.sources.synthetic.basics import Array, Rng, noise


def shade(rng: Rng, picture: Array) -> Array:
    """`picture` (S, S, 3) float32 under uneven light: a slope, soft patches, or a shadow with an edge."""
    size = len(picture)
    if rng.random() < 0.5:
        slope = noise(rng, (size, size), (2, 2)) * np.float32(rng.uniform(0.1, 0.4))
        picture = picture * (1 + slope[..., None])
    if rng.random() < 0.3:
        cells = float(rng.uniform(2, 7))
        edge = np.float32(rng.uniform(2, 25))
        level = noise(rng, (size, size), (cells, cells)) - np.float32(rng.uniform(-0.3, 0.5))
        cover = 1 / (1 + np.exp(-edge * level))
        picture = picture * (1 - np.float32(rng.uniform(0.2, 0.65)) * cover[..., None])
    return picture


def expose(rng: Rng, picture: Array) -> Array:
    """`picture` (S, S, 3) float32 with another white balance, saturation, gamma, black and white point; in 0..1."""
    picture = picture * rng.normal(1, 0.07, 3).astype(np.float32)
    grey = picture.mean(2, keepdims=True)
    picture = grey + (picture - grey) * np.float32(rng.uniform(0.35, 1.25))
    picture = np.clip(picture * np.float32(rng.uniform(0.7, 1.45)), 0, 1) ** np.float32(np.exp(rng.normal(0, 0.28)))
    black, white = rng.uniform((0, 0.85), (0.12, 1))
    return np.asarray(np.clip(black + (white - black) * picture, 0, 1))


def record(rng: Rng, picture: Array) -> Array:
    """`picture` (H, W, 3) float32 in 0..1 as a file has it, uint8: out of focus, moved, coarse, grainy, compressed."""
    height, width = picture.shape[:2]
    size = max(height, width)
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.0007, 0.004)) * size)
    if rng.random() < 0.1:
        length = max(3, int(rng.uniform(0.005, 0.02) * size))
        kernel = np.zeros((length, length), np.float32)
        cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0)
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    if rng.random() < 0.4:
        share = rng.uniform(0.35, 0.9)
        small = (max(32, int(width * share)), max(32, int(height * share)))
        coarse = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.25:  # sharpened
        picture = picture + np.float32(rng.uniform(0.3, 1.2)) * (picture - cv2.GaussianBlur(picture, (0, 0), 1.5))
    grain = np.abs(rng.normal(0, 0.012)) * rng.standard_normal((height, width, 1), np.float32)
    speckle = np.abs(rng.normal(0, 0.012)) * rng.standard_normal((height, width, 3), np.float32)
    taken = (np.clip(picture + grain + speckle, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.7:
        _, code = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))])
        taken = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return np.asarray(taken)
