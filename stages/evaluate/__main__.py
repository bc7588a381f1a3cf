"""evaluate VARIANT: its threshold, chosen on val, its metrics at the photos' own size, and what explains them.

plots/evaluation/VARIANT/scores/photos.csv   every holdout and val photo: id, part, its scores and its pixels
plots/evaluation/VARIANT/pictures/ID.jpg     the same few holdout photos for every variant, for `dvc plots diff`
report/gallery/VARIANT.html                  the page of its worst, median and best holdout photos
"""

from pathlib import Path

import numpy as np
import pandas as pd

from src.errors import run_main
from src.formats.curves import read_curves
from src.formats.metrics import PARTS, Metrics, write_metrics
from src.formats.predictions import read_cost, read_predictions
from src.formats.prepared import LABELLED, NativeMasks, read_rows
from src.formats.split import part_indices, read_split
from src.params import read_params
from src.postprocess import AUTO, PostprocessParams, final_mask
from stages.evaluate.pictures import draw
from stages.evaluate.summary import score_photos, summarise
from stages.evaluate.threshold import best_threshold, threshold_curve


def main(variant: str) -> None:
    params = read_params("postprocess", PostprocessParams)
    rows = read_rows(LABELLED)
    split = read_split(list(rows["id"]))
    masks = NativeMasks(rows)
    indices = {part: part_indices(split, part) for part in PARTS}
    maps = {part: read_predictions(variant, part, expected=len(indices[part])) for part in PARTS}

    curve = threshold_curve(maps["val"], indices["val"], masks)
    threshold = best_threshold(curve) if params.threshold == AUTO else float(params.threshold)
    scores = {part: score_photos(maps[part], indices[part], masks, threshold, params) for part in PARTS}
    metrics = Metrics(
        threshold=threshold,
        **{part: summarise(scores[part], rows.iloc[indices[part]]) for part in PARTS},
        threshold_curve=curve.round(6).tolist(),
        curves=read_curves(variant),
        cost=read_cost(variant),
    )

    def true_and_predicted(position: int) -> tuple[np.ndarray, np.ndarray]:
        target = masks[indices["holdout"][position]]
        return target, final_mask(maps["holdout"][position], target.shape, threshold, params)

    folder = Path("plots/evaluation", variant)
    draw(variant, folder / "pictures", rows.iloc[indices["holdout"]], scores["holdout"]["dice"], true_and_predicted)
    (folder / "scores").mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        scores[part].insert(0, "id", rows["id"].to_numpy()[indices[part]])
        scores[part].insert(1, "part", part)
    pd.concat(scores.values()).to_csv(folder / "scores/photos.csv", index=False)
    write_metrics(variant, metrics)


if __name__ == "__main__":
    run_main(main)
