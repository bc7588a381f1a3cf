"""The competition's run-length code: `start length start length ...`, column by column, positions counted from 1."""

import numpy as np


def encode(mask: np.ndarray) -> str:
    """The code of `mask` (H, W; above zero is person); an empty string if nobody is there."""
    columns = np.zeros(mask.size + 2, dtype=np.int8)
    columns[1:-1].reshape(mask.shape[::-1])[:] = mask.T != 0
    changes = np.flatnonzero(np.diff(columns)) + 1
    changes[1::2] -= changes[::2]
    return " ".join(map(str, changes.tolist()))


def decode(code: str, height: int, width: int) -> np.ndarray:
    """The mask, uint8 (height, width) with values 0 and 1; raises ValueError for a code that does not fit it."""
    runs = np.array(code.split(), dtype=np.int64)
    if len(runs) % 2:
        raise ValueError("a run-length code has pairs of start and length")
    starts, lengths = runs[::2] - 1, runs[1::2]
    pixels, ends = height * width, starts + lengths
    inside = (starts >= 0) & (starts < pixels) & (lengths >= 1) & (lengths <= pixels) & (ends <= pixels)
    if not inside.all() or (starts[1:] < ends[:-1]).any():
        raise ValueError(f"runs overlap, are out of order, or leave the {width} x {height} photo")
    flat = np.zeros(pixels, dtype=np.uint8)
    for start, end in zip(starts, ends, strict=True):
        flat[start:end] = 1
    return flat.reshape(width, height).T.copy()
