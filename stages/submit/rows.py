"""From probability maps of the test photos to the rows of a submission."""

import numpy as np
import pandas as pd
from tqdm.contrib.concurrent import thread_map

from src.formats.rle import encode
from src.postprocess import PostprocessParams, final_mask


def submission(maps: np.ndarray, rows: pd.DataFrame, threshold: float, params: PostprocessParams) -> pd.DataFrame:
    """Name and encoded mask, at its own size, of each test photo in `rows`; their maps are uint8 (N, S, S)."""

    def encoded(item: tuple[np.ndarray, int, int]) -> str:
        probability, height, width = item
        return encode(final_mask(probability, (height, width), threshold, params))

    items = list(zip(maps, rows["height"], rows["width"], strict=True))
    codes = thread_map(encoded, items, desc="encode", unit="photo", disable=None)
    return pd.DataFrame({"id": rows["file"], "encoded_pixels": codes})
