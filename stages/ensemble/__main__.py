"""ensemble NAME: the mean of its members' probability maps, in data/predictions/NAME."""

from typing import Annotated

import numpy as np
from pydantic import Field

from src.errors import run_main
from src.formats.predictions import Cost, read_cost, read_predictions, write_cost, write_predictions
from src.formats.prepared import LABELLED, TEST, read_rows
from src.formats.split import part_indices, read_split
from src.params import Name, read_params

Members = Annotated[list[Name], Field(min_length=3, max_length=3)]  # a name that stands twice counts twice
Ensembles = dict[Name, Members]  # the block `ensembles` of params.yaml


def main(name: str) -> None:
    members = read_params(f"ensembles.{name}", Members)
    split = read_split(list(read_rows(LABELLED)["id"]))
    photos = {part: len(part_indices(split, part)) for part in ("val", "holdout")} | {"test": len(read_rows(TEST))}
    for part, count in photos.items():
        write_predictions(name, part, average([read_predictions(member, part, expected=count) for member in members]))
    costs = [read_cost(member) for member in set(members)]
    total = Cost(parameters=sum(c.parameters for c in costs), gflop=round(sum(c.gflop for c in costs), 3))
    write_cost(name, total)


def average(maps: list[np.ndarray]) -> np.ndarray:
    """The mean of `maps`, each uint8 (N, S, S), rounded."""
    total = np.stack(maps).sum(axis=0, dtype=np.uint16)
    return ((total + len(maps) // 2) // len(maps)).astype(np.uint8)


if __name__ == "__main__":
    run_main(main)
