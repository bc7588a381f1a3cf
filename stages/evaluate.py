"""evaluate VARIANT: its metrics on holdout and val, at the photos' own size, from its saved probability maps."""

from src import stage
from src.evaluate import score_photos, summarise
from src.leaderboard import write_metrics
from src.postprocess import PostprocessParams
from src.predictions import read_predictions
from src.prepared import LABELLED, NativeMasks, read_rows
from src.split import part_indices, read_split


def main(variant: str) -> None:
    params = stage.read_params("postprocess", PostprocessParams)
    rows, split = read_rows(LABELLED), read_split()
    masks = NativeMasks(rows)
    metrics: dict[str, object] = {}
    for part in ("holdout", "val"):
        indices = part_indices(split, part)
        maps = read_predictions(variant, part, expected=len(indices))
        metrics[part] = summarise(score_photos(maps, indices, masks, params), rows.iloc[indices])
    write_metrics(variant, metrics)


if __name__ == "__main__":
    stage.run(main)
