"""evaluate VARIANT: its threshold, chosen on val, its metrics at the photos' own size, and what explains them."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from src.errors import run_main
from src.formats.curves import read_curves
from src.formats.metrics import write_metrics
from src.formats.predictions import read_cost, read_predictions
from src.formats.prepared import LABELLED, TRAITS, NativeMasks, read_photos, read_rows
from src.formats.scores import pictures_folder, write_tables
from src.formats.split import part_indices, read_split
from src.params import read_params
from src.pictures import captioned, write_picture
from src.postprocess import AUTO, PostprocessParams, final_mask
from stages.evaluate.choose_pictures import choose
from stages.evaluate.summary import score_photos, summarise
from stages.evaluate.threshold import best_threshold, threshold_curve


def main(variant: str) -> None:
    params = read_params("postprocess", PostprocessParams)
    rows = read_rows(LABELLED)
    split = read_split(list(rows["id"]))
    masks = NativeMasks(rows)
    indices = {part: part_indices(split, part) for part in ("holdout", "val")}
    maps = {part: read_predictions(variant, part, expected=len(indices[part])) for part in indices}

    curve = threshold_curve(maps["val"], indices["val"], masks)
    threshold = best_threshold(curve) if params.threshold == AUTO else float(params.threshold)
    metrics: dict[str, object] = {"threshold": threshold, "threshold_curve": curve.round(6).tolist()}
    metrics |= {"curves": read_curves(variant), "cost": read_cost(variant).model_dump()}
    tables = {}
    for part, part_maps in maps.items():
        part_rows = rows.iloc[indices[part]].reset_index(drop=True)
        scores = score_photos(part_maps, indices[part], masks, threshold, params)
        metrics[part] = summarise(scores, part_rows)
        tables[part] = pd.concat([part_rows[["id"]].assign(part=part), scores], axis=1)

    def true_and_predicted(position: int) -> tuple[np.ndarray, np.ndarray]:
        target = masks[indices["holdout"][position]]
        return target, final_mask(maps["holdout"][position], target.shape, threshold, params)

    pictures = draw(variant, tables["holdout"], rows.iloc[indices["holdout"]], true_and_predicted)
    write_tables(variant, pd.concat(tables.values()), pictures)
    write_metrics(variant, metrics)


def draw(
    variant: str, scores: pd.DataFrame, rows: pd.DataFrame, masks: Callable[[int], tuple[np.ndarray, np.ndarray]]
) -> pd.DataFrame:
    """Writes the pictures of the photos worth looking at; returns a row for each.

    `scores` and `rows` (of photos.csv) hold the same photos. `masks(position)` returns the true and the
    predicted mask, uint8 (H, W; 0 and 1), of the photo at `position` in them.
    """
    photos, table, traits = read_photos(LABELLED), [], rows[list(TRAITS)]
    for kind, place, position in choose(scores["dice"], traits):
        photo_id, dice = scores["id"][position], float(scores["dice"][position])
        its_traits = " ".join(traits.columns[traits.iloc[position]])
        caption = f"{kind} {place}: photo {photo_id}, Dice {dice:.3f}"
        picture = captioned(photos[rows.index[position]], *masks(position), caption)
        file = f"{kind}_{place}.jpg"
        write_picture(picture, pictures_folder(variant) / file)
        row = {"file": file, "kind": kind, "place": place, "id": photo_id, "dice": dice, "traits": its_traits}
        table.append(row)
    return pd.DataFrame(table)


if __name__ == "__main__":
    run_main(main)
