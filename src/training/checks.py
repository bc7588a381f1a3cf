"""What cannot be trained on, refused before the first step."""

from src.stage import UserError
from src.training.dataset import Dataset
from src.training.schedule import TrainParams


def check_run(params: TrainParams, train: Dataset, val: Dataset, processes: int) -> None:
    """Raises UserError if `params` do not suit the photos or the number of `processes`, or val shows nobody."""
    batch = params.batch_size * params.accumulate
    if batch > len(train):
        raise UserError(
            f"params.yaml: the profile's train.batch_size times train.accumulate is {batch}, more than the "
            f"{len(train)} training photos; lower it"
        )
    if params.batch_size % processes:
        raise UserError(
            f"params.yaml: the profile's train.batch_size, {params.batch_size}, does not divide among {processes} "
            "processes; make it a multiple"
        )
    if params.final_epochs >= params.epochs:
        raise UserError(
            f"params.yaml: the profile's train.final_epochs, {params.final_epochs}, must be below train.epochs, which "
            f"is {params.epochs}"
        )
    if val.shows_nobody():
        raise UserError("params.yaml: split: no val photo shows a person; change split.seed or split.fold")
