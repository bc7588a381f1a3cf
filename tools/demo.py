"""demo PHOTO ...: cuts the people out of any photos with the best model; writes PNG files to demo/."""

import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from src import stage
from src.compute import ComputeParams, launch
from src.files import check_file
from src.formats.metrics import METRICS, read_metrics
from src.formats.model import load_model, model_path
from src.images import ImageSize, Megapixels, read_photo, resize_photo
from src.models import known_variants
from src.pictures import HIT, write_picture
from src.postprocess import AUTO, PostprocessParams, final_mask
from stages.predict.maps import PredictParams, predict

FOLDER = Path("demo")
DIMMED = 0.35  # how much of the background's light the overlay keeps
LEADERBOARD = Path("report/leaderboard.json")
UNTRAINED_THRESHOLD = 0.5  # where `auto` has not been chosen on this machine


def main(*arguments: str) -> None:
    photos = [Path(argument) for argument in arguments]
    if not photos:
        raise stage.UserError("name at least one photo: make demo PHOTO=path/to/photo.jpg")
    for photo in photos:
        if not photo.exists():
            raise stage.UserError(f"{photo}: there is no such file; give the path of a PNG, JPEG or WebP photo")
        check_file(photo)
    variant = best_variant(stage.read_params("release", stage.Name))
    size, most = stage.read_params("image_size", ImageSize), stage.read_params("max_megapixels", Megapixels)
    params = stage.read_params("postprocess", PostprocessParams)
    prediction = stage.read_params("predict", PredictParams)
    fabric = launch(stage.read_params("compute", ComputeParams).on_one_device, alone=False)
    model, _ = load_model(model_path(variant))
    model = model.to(fabric.device).to(memory_format=torch.channels_last)
    chosen = threshold(variant, params)
    for path, files in zip(photos, names(photos, FOLDER), strict=True):
        pixels = read_photo(path, most)
        probability = predict(fabric, model, resize_photo(pixels, size)[None], prediction, path.name)[0]
        mask = final_mask(probability, pixels.shape[:2], chosen, params)
        write_all(pixels, mask, files)
        print(f"{path}: {variant} finds a person in {mask.mean():.1%} of it; see {', '.join(map(str, files))}")


def best_variant(release: str) -> str:
    """The leader of the leaderboard if its model is here, else the release."""
    if LEADERBOARD.exists():
        try:
            leader = json.loads(LEADERBOARD.read_text())["model"]
        except (LookupError, TypeError, ValueError):
            leader = None
        if leader not in known_variants():
            raise stage.UserError(f"{LEADERBOARD} is damaged; run dvc repro -f -s report, or remove it")
        if model_path(leader).exists():
            return leader
    if not model_path(release).exists():
        raise stage.UserError(f"{model_path(release)} is missing; run dvc repro, or dvc pull train@{release}")
    return release


def threshold(variant: str, params: PostprocessParams) -> float:
    """The fixed threshold, or the one that evaluate chose."""
    if params.threshold != AUTO:
        return float(params.threshold)
    known = (METRICS / f"{variant}.json").exists()
    return float(read_metrics(variant)["threshold"]) if known else UNTRAINED_THRESHOLD


class Names(NamedTuple):
    """The three files that are written for a photo."""

    mask: Path
    overlay: Path
    cutout: Path


def names(photos: list[Path], folder: Path) -> list[Names]:
    """The files for each of `photos`, in `folder`; photos of the same name get numbers."""
    taken: dict[str, int] = {}
    result = []
    for photo in photos:
        taken[photo.stem] = taken.get(photo.stem, 0) + 1
        stem = photo.stem if taken[photo.stem] == 1 else f"{photo.stem}-{taken[photo.stem]}"
        result.append(Names(*(folder / f"{stem}-{kind}.png" for kind in Names._fields)))
    return result


def write_all(photo: np.ndarray, mask: np.ndarray, files: Names) -> None:
    """Writes the mask, the overlay and the cut-out of `photo` (H, W, 3), RGB, with its `mask` (H, W; 0 and 1)."""
    for path, picture in zip(files, (mask * np.uint8(255), overlay(photo, mask), cutout(photo, mask)), strict=True):
        write_picture(picture, path)


def overlay(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3): the background dimmed to grey, and a line around the person."""
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    picture = np.where(mask[..., None] > 0, photo, (grey * DIMMED + 255 * 0.3).astype(np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture, outlines, -1, HIT, max(1, round(max(mask.shape) / 400)))


def cutout(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGBA (H, W, 4): the person on nothing, with an edge softened by a pixel so that it sits well on any colour."""
    return np.dstack([photo, cv2.blur(mask * np.uint8(255), (3, 3))])


if __name__ == "__main__":
    stage.run(main)
