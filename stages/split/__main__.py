"""split: data/split.csv, the part of each labelled photo."""

import pandas as pd

from src.errors import run_main
from src.files import replacing
from src.formats.prepared import LABELLED, TRAITS, read_photos, read_rows
from src.formats.split import PARTS, SPLIT
from src.params import read_params
from stages.split.duplicates import duplicate_groups
from stages.split.stratify import SplitParams, parts_of, split


def main() -> None:
    params = read_params("split", SplitParams)
    rows = read_rows(LABELLED)
    groups = duplicate_groups(read_photos(LABELLED), params.duplicate_distance)
    folds = split(groups, rows[list(TRAITS)].to_numpy(dtype=bool), params)
    parts = parts_of(folds, params.fold)
    first = pd.Series(rows["id"]).groupby(groups).transform("first")
    with replacing(SPLIT) as partial:
        pd.DataFrame({"id": rows["id"], "part": parts, "fold": folds, "group": first}).to_csv(partial, index=False)
    counts = ", ".join(f"{parts.count(part)} {part}" for part in PARTS)
    print(f"{counts} | {(first != rows['id']).sum()} near-duplicates")


if __name__ == "__main__":
    run_main(main)
