"""The competition's CSV: a header, then one row per test photo, `id` being the file name with its extension."""

from pathlib import Path

import pandas as pd
from tqdm.contrib.concurrent import thread_map

from src import rle
from src.images import Array8
from src.postprocess import PostprocessParams, final_mask

SUBMISSIONS = Path("submissions")


def submission(maps: Array8, rows: pd.DataFrame, threshold: float, params: PostprocessParams) -> pd.DataFrame:
    """The rows `id, encoded_pixels` for the maps (N, S, S) of the test photos in `rows`, at the photos' own size."""

    def encode(item: tuple[Array8, int, int]) -> str:
        probability, height, width = item
        return rle.encode(final_mask(probability, (height, width), threshold, params))

    items = list(zip(maps, rows["height"], rows["width"], strict=True))
    codes = thread_map(encode, items, desc="encode", unit="photo")
    return pd.DataFrame({"id": rows["file"], "encoded_pixels": codes})


def write_submission(table: pd.DataFrame, path: Path) -> None:
    """Writes `table` as the competition wants it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


def read_submission(path: Path) -> pd.DataFrame:
    """The rows of a submission; an all-background mask is an empty string, not a missing value."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)
