"""From probability maps of the test photos to the rows of a submission."""

import numpy as np
import pandas as pd
from tqdm.contrib.concurrent import thread_map

from src.formats.rle import encode
from src.postprocess import PostprocessParams, final_mask


def submission(maps: np.ndarray, rows: pd.DataFrame, threshold: float, params: PostprocessParams) -> pd.DataFrame:
    """The rows `id, encoded_pixels` for the maps, uint8 (N, S, S), of the test photos in `rows`, at their own size."""

    def encoded(item: tuple[np.ndarray, int, int]) -> str:
        probability, height, width = item
        return encode(final_mask(probability, (height, width), threshold, params))

    items = list(zip(maps, rows["height"], rows["width"], strict=True))
    codes = thread_map(encoded, items, desc="encode", unit="photo", disable=None)
    return pd.DataFrame({"id": rows["file"], "encoded_pixels": codes})
