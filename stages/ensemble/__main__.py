"""ensemble NAME: the mean of its members' probability maps, in data/predictions/NAME."""

from src.errors import run_main
from src.formats.predictions import Cost, read_cost, read_predictions, write_cost, write_predictions
from src.formats.prepared import LABELLED, TEST, read_rows
from src.formats.split import part_indices, read_split
from src.params import read_params
from stages.ensemble.mean import Members, average


def main(name: str) -> None:
    members = read_params(f"ensembles.{name}", Members)
    split = read_split(list(read_rows(LABELLED)["id"]))
    photos = {part: len(part_indices(split, part)) for part in ("val", "holdout")} | {"test": len(read_rows(TEST))}
    for part, count in photos.items():
        write_predictions(name, part, average([read_predictions(member, part, expected=count) for member in members]))
    costs = [read_cost(member) for member in set(members)]
    total = Cost(parameters=sum(c.parameters for c in costs), gflop=round(sum(c.gflop for c in costs), 3))
    write_cost(name, total)


if __name__ == "__main__":
    run_main(main)
