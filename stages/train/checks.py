"""What a training cannot start with, or go on with."""

from torch import Tensor

from src.errors import UserError
from stages.train.batches import PhotoBatches
from stages.train.schedule import TrainParams


def check_run(params: TrainParams, train: PhotoBatches, val: PhotoBatches, processes: int) -> None:
    """Raises UserError if `params` do not suit the photos or the number of `processes`, or val shows nobody."""
    batch = params.batch_size * params.accumulate
    if batch > len(train):
        raise UserError(
            f"params.yaml: the budget's train.batch_size times train.accumulate is {batch}, more than the "
            f"{len(train)} training photos; lower it"
        )
    if params.batch_size % processes:
        raise UserError(
            f"params.yaml: the budget's train.batch_size, {params.batch_size}, does not divide among {processes} "
            "processes; make it a multiple"
        )
    if params.final_epochs >= params.epochs:
        raise UserError(
            f"params.yaml: the budget's train.final_epochs, {params.final_epochs}, must be below train.epochs, which "
            f"is {params.epochs}"
        )
    if val.has_no_foreground():
        raise UserError("params.yaml: split: no val photo shows a person; change split.seed or split.fold")


def check_finite(epoch: int, losses: Tensor, norms: Tensor, rates: list[float]) -> None:
    """Raises UserError if the last loss of `epoch` is infinite or NaN; it names the first step from which on all were.

    `losses` and `norms`, of the gradient before clipping, are (steps,); `rates` are the learning rates.
    """
    finite = losses.isfinite().tolist()
    if finite[-1]:
        return
    step = max((number for number, good in enumerate(finite) if good), default=-1) + 1
    raise UserError(
        f"the loss is {float(losses[step])} in epoch {epoch}, step {step}, at learning rate {rates[step]:.3g} and "
        f"gradient norm {float(norms[step]):.3g}; no model was written. Lower the budget's train.learning_rate or "
        "train.gradient_clip, or set compute.precision to 32-true"
    )
