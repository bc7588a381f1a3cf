"""predict VARIANT: its probability maps for val, holdout and test, and what they cost, in data/predictions/VARIANT."""

from src.params import read_params
from src.portable import hold_arithmetic

if __name__ == "__main__":
    hold_arithmetic(read_params("compute", dict))  # before torch is loaded

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from src.compute import ComputeParams, explain_out_of_memory, one_device
from src.errors import run_main
from src.formats.metadata import model_path
from src.formats.model import load_model
from src.formats.predictions import Cost, write_cost, write_predictions
from src.formats.prepared import LABELLED, TEST, read_photos
from src.formats.split import part_indices, read_split
from src.inference import PredictParams, predict


def main(variant: str) -> None:
    params = read_params("predict", PredictParams)
    runtime = one_device(read_params("compute", ComputeParams))
    model, _ = load_model(model_path(variant))
    model = model.to(runtime.device).to(memory_format=torch.channels_last)
    labelled = read_photos(LABELLED)
    split = read_split(len(labelled))
    photos = {part: labelled[part_indices(split, part)] for part in ("val", "holdout")} | {"test": read_photos(TEST)}
    for part, these in photos.items():
        # With train.folds above 1, only the first member has not been trained on the val photos.
        chosen = model.members[0] if part == "val" else model
        with explain_out_of_memory("lower predict.batch_size or predict.scale"):
            maps = predict(runtime, chosen, these, params, f"{variant} {part}")
        write_predictions(variant, part, maps)
    write_cost(variant, measure(model, labelled.shape[1]))


@torch.no_grad()
def measure(model: nn.Module, size: int) -> Cost:
    """The parameters of `model`, and the operations of its convolutions and matrix products for one photo of `size`
    pixels squared, once, whatever `predict.mirror` and `predict.scale` say; a multiply-add is two."""
    parameters = list(model.parameters())
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, size, size, dtype=torch.uint8, device=parameters[0].device))
    return Cost(parameters=sum(p.numel() for p in parameters), gflop=round(counter.get_total_flops() / 1e9, 3))


if __name__ == "__main__":
    run_main(main)
