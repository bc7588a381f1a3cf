"""demo PHOTO ...: cuts the people out of any photos with the best model; writes PNG files to demo/.

Not a stage of `dvc repro`: its photos are no part of the project.
"""

import json
from pathlib import Path

import torch

from src import models, stage
from src.compute import ComputeParams, launch
from src.demo import names, write_all
from src.images import read_photo, resize_photo
from src.metrics import METRICS, read_metrics
from src.postprocess import AUTO, PostprocessParams, final_mask
from src.predict import PredictParams, predict

FOLDER = Path("demo")
LEADERBOARD = Path("report/leaderboard.json")
UNTRAINED_THRESHOLD = 0.5  # where `auto` has not been chosen on this machine


def main(*arguments: str) -> None:
    photos = [Path(argument) for argument in arguments]
    if not photos:
        raise stage.UserError("name at least one photo: make demo PHOTO=path/to/photo.jpg")
    for photo in photos:
        if not photo.is_file():
            raise stage.UserError(f"{photo}: there is no such file; give the path of a PNG, JPEG or WebP photo")
    variant = best_variant(stage.read_params("release", str))
    size = stage.read_params("image_size", int)
    params = stage.read_params("postprocess", PostprocessParams)
    prediction = stage.read_params("predict", PredictParams)
    fabric = launch(stage.read_params("compute", ComputeParams).on_one_device)
    model, _ = models.load(model_path(variant))
    model = model.to(fabric.device).to(memory_format=torch.channels_last)
    chosen = threshold(variant, params)
    for path, files in zip(photos, names(photos, FOLDER), strict=True):
        pixels = read_photo(path)
        probability = predict(fabric, model, resize_photo(pixels, size)[None], prediction, path.name)[0]
        mask = final_mask(probability, pixels.shape[:2], chosen, params)
        write_all(pixels, mask, files)
        print(f"{path}: {variant} finds a person in {mask.mean():.1%} of it; see {', '.join(map(str, files))}")


def best_variant(release: str) -> str:
    """The leader of the leaderboard if its model is here, else the release."""
    if LEADERBOARD.exists():
        leader = str(json.loads(LEADERBOARD.read_text())["model"])
        if model_path(leader).exists():
            return leader
    if not model_path(release).exists():
        raise stage.UserError(f"{model_path(release)} is missing; run dvc repro, or dvc pull train@{release}")
    return release


def model_path(variant: str) -> Path:
    """Where `train` puts the model of `variant`."""
    return Path(f"models/{variant}.safetensors")


def threshold(variant: str, params: PostprocessParams) -> float:
    """The fixed threshold, or the one that evaluate chose."""
    if params.threshold != AUTO:
        return float(params.threshold)
    known = (METRICS / f"{variant}.json").exists()
    return float(read_metrics(variant)["threshold"]) if known else UNTRAINED_THRESHOLD


if __name__ == "__main__":
    stage.run(main)
