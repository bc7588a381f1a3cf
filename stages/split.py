"""split: data/split.csv, the part of each labelled photo."""

import pandas as pd

from src import stage
from src.duplicates import duplicate_groups
from src.prepared import LABELLED, read_photos, read_rows
from src.split import PARTS, SPLIT, SplitParams, split
from src.traits import TRAITS


def main() -> None:
    params = stage.read_params("split", SplitParams)
    rows = read_rows(LABELLED)
    groups = duplicate_groups(read_photos(LABELLED), params.duplicate_distance)
    parts = split(groups, rows[list(TRAITS)].to_numpy(dtype=bool), params)
    first = pd.Series(rows["id"]).groupby(groups).transform("first")
    pd.DataFrame({"id": rows["id"], "part": parts, "group": first}).to_csv(SPLIT, index=False)
    print(
        ", ".join(f"{parts.count(part)} {part}" for part in PARTS), f"| {(first != rows['id']).sum()} near-duplicates"
    )


if __name__ == "__main__":
    stage.run(main)
