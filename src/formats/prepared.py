"""The format of data/prepared: what the rest of the pipeline knows of the photos, as arrays that can be memory-mapped.

    labelled/photos.npy        uint8 (N, S, S, 3), RGB
    labelled/soft_masks.npy    uint8 (N, S, S), the share of the pixel's area that is person, 255 for all of it
    labelled/native_masks.npy  uint8, one dimension: the masks at native size, one bit per pixel, one after the other
    labelled/photos.csv        row i: id, file, height, width, coverage and the TRAITS of photo i
    test/photos.npy, test/photos.csv   likewise, in the submission's order, without what only a mask can tell

The test photos stand apart, so that a changed test photo retrains nothing.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from src.errors import UserError
from src.formats.arrays import new_array, read_array
from src.formats.tables import read_table

LABELLED = Path("data/prepared/labelled")
TEST = Path("data/prepared/test")
PHOTOS, SOFT_MASKS, NATIVE_MASKS, ROWS = "photos.npy", "soft_masks.npy", "native_masks.npy", "photos.csv"
AGAIN = "run dvc repro -f -s prepare"
# Columns that say what makes a photo hard; src/page/traits.py has words for them.
TRAITS = ("small", "cut", "grey", "glare")
COLUMNS = {"id": str, "file": str, "height": int, "width": int, "grey": bool, "glare": bool}
MASK_COLUMNS = {"coverage": float, "small": bool, "cut": bool}


class Prepared(NamedTuple):
    """A photo, uint8 (S, S, 3), its row of photos.csv, and if it is labelled its soft mask, uint8 (S, S), and its mask
    at native size as `np.packbits` gives it: ceil(H * W / 8) bytes, row by row.
    """

    photo: np.ndarray
    row: dict[str, object]
    soft_mask: np.ndarray | None = None
    native_mask: np.ndarray | None = None


def write_prepared(part: Path, items: Iterable[Prepared]) -> None:
    """Writes LABELLED or TEST, one photo after the other."""
    rows, masks = [], (SOFT_MASKS, NATIVE_MASKS) if part == LABELLED else ()
    with ExitStack() as files:
        # The photos' is put into its place last: while the rest is half of it, nothing can read it.
        add = {name: files.enter_context(new_array(part / name)) for name in (PHOTOS, *masks)}
        for photo, row, soft_mask, native_mask in items:
            add[PHOTOS](photo[None])
            if soft_mask is not None and native_mask is not None:
                add[SOFT_MASKS](soft_mask[None])
                add[NATIVE_MASKS](native_mask)
            rows.append(row)
        (part / PHOTOS).unlink(missing_ok=True)
        pd.DataFrame(rows).to_csv(part / ROWS, index=False)


def read_rows(part: Path) -> pd.DataFrame:
    """photos.csv of LABELLED or TEST; `id` and `file` are strings, traits bool. Raises UserError if it is damaged."""
    return read_table(part / ROWS, COLUMNS | (MASK_COLUMNS if part == LABELLED else {}), AGAIN)


def read_photos(part: Path) -> np.ndarray:
    """photos.npy of LABELLED or TEST, memory-mapped."""
    return read_array(part / PHOTOS, (None, None, None, 3), AGAIN)


def read_soft_masks() -> np.ndarray:
    """soft_masks.npy, memory-mapped."""
    return read_array(LABELLED / SOFT_MASKS, (None, None, None), AGAIN)


class NativeMasks:
    """The labelled masks at their photos' own size, unpacked one at a time."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.sizes: NDArray[np.int64] = rows[["height", "width"]].to_numpy()
        lengths = -(-self.sizes.prod(axis=1) // 8)
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.bits = read_array(LABELLED / NATIVE_MASKS, (None,), AGAIN)
        if len(self.bits) != self.starts[-1]:
            raise UserError(f"{LABELLED}: masks and photos.csv do not belong together; {AGAIN}")

    def __getitem__(self, index: int) -> np.ndarray:
        """The mask of labelled photo `index`, uint8 (H, W), values 0 and 1."""
        height, width = self.sizes[index]
        bits = self.bits[self.starts[index] : self.starts[index + 1]]
        return np.unpackbits(bits, count=height * width).reshape(height, width)
