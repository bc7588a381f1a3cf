"""evaluate VARIANT: its threshold, chosen on val, its metrics at the photos' own size, and what explains them."""

import numpy as np
import pandas as pd

from src.errors import run_main
from src.formats.curves import read_curves
from src.formats.metrics import PARTS, Metrics, write_metrics
from src.formats.predictions import read_cost, read_predictions
from src.formats.prepared import LABELLED, NativeMasks, read_rows
from src.formats.scores import write_scores
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

    draw(variant, rows.iloc[indices["holdout"]], scores["holdout"]["dice"], true_and_predicted)
    ids = {part: rows[["id"]].iloc[indices[part]].reset_index(drop=True).assign(part=part) for part in PARTS}
    write_scores(variant, pd.concat([pd.concat([ids[part], scores[part]], axis=1) for part in PARTS]))
    write_metrics(variant, metrics)


if __name__ == "__main__":
    run_main(main)
