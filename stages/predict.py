"""predict VARIANT: its probability maps for val, holdout and test, in data/predictions/VARIANT."""

from pathlib import Path

import torch

from src import models, stage
from src.compute import ComputeParams, launch
from src.predict import PredictParams, predict
from src.predictions import write_predictions
from src.prepared import LABELLED, TEST, read_photos
from src.split import part_indices, read_split


def main(variant: str) -> None:
    params = stage.read_params("predict", PredictParams)
    fabric = launch(stage.read_params("compute", ComputeParams))
    model, _ = models.load(Path(f"models/{variant}.safetensors"))
    model = model.to(fabric.device).to(memory_format=torch.channels_last)
    labelled, split = read_photos(LABELLED), read_split()
    for part in ("val", "holdout"):
        maps = predict(fabric, model, labelled[part_indices(split, part)], params, f"{variant} {part}")
        write_predictions(variant, part, maps)
    write_predictions(variant, "test", predict(fabric, model, read_photos(TEST), params, f"{variant} test"))


if __name__ == "__main__":
    stage.run(main)
