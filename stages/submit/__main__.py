"""submit VARIANT: submissions/VARIANT.csv, ready to hand in, by the threshold that evaluate settled on."""

import numpy as np
import pandas as pd
from tqdm.contrib.concurrent import thread_map

from src.errors import run_main
from src.files import replacing
from src.formats.metrics import read_metrics
from src.formats.predictions import read_predictions
from src.formats.prepared import TEST, read_rows
from src.formats.rle import encode
from src.formats.submission import SUBMISSIONS, SubmissionParams
from src.params import read_params
from src.postprocess import PostprocessParams, final_mask


def main(variant: str) -> None:
    params = read_params("postprocess", PostprocessParams)
    columns = read_params("submission", SubmissionParams).columns
    threshold = read_metrics(variant).threshold
    rows = read_rows(TEST)
    maps = read_predictions(variant, "test", expected=len(rows))
    with replacing(SUBMISSIONS / f"{variant}.csv") as partial:
        submission(maps, rows, threshold, params).to_csv(partial, index=False, header=columns)


def submission(maps: np.ndarray, rows: pd.DataFrame, threshold: float, params: PostprocessParams) -> pd.DataFrame:
    """Name and encoded mask, at its own size, of each test photo in `rows`; their maps are uint8 (N, S, S)."""

    def encoded(probability: np.ndarray, height: int, width: int) -> str:
        return encode(final_mask(probability, (height, width), threshold, params))

    codes = thread_map(encoded, maps, rows["height"], rows["width"], desc="encode", unit="photo", disable=None)
    return pd.DataFrame({"id": rows["file"], "encoded_pixels": codes})


if __name__ == "__main__":
    run_main(main)
