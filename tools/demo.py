"""demo [--model M] [PHOTO ...]: cuts the people out of any photos; writes PNG files to demo/.

Without --model, the best model that was trained here is used if it does better on the holdout photos than the starter
that came with the clone, and else the starter. Without a photo, that of an astronaut is cut out.
"""

import argparse
from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np
import skimage

from src import dice
from src.compute import ComputeParams
from src.errors import UserError, explain, run_main
from src.formats.metadata import MODELS, STARTERS, model_path
from src.formats.metrics import METRICS, read_metrics
from src.formats.prepared import LABELLED, NativeMasks, read_photos, read_rows
from src.formats.split import part_indices, read_split
from src.images import Megapixels, read_photo
from src.models import known_variants
from src.params import Name, read_params
from src.pictures import HIT, write_picture
from src.predictor import Predictor
from tools.find_model import find_model

FOLDER = Path("demo")
EXAMPLE = Path(skimage.__file__).parent / "data/astronaut.png"  # by NASA, in the public domain
STARTER = STARTERS / "efficientnet_unet.safetensors"
COMPARED = 40  # holdout photos at most, so that the comparison takes seconds
DIMMED = 0.35  # how much of the background's light the overlay keeps


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="*", metavar="PHOTO", help="default: a portrait by NASA")
    parser.add_argument("--model", help="a variant that was trained here, or a model file")
    options = parser.parse_args(arguments)
    photos, max_megapixels = options.photos or [EXAMPLE], read_params("max_megapixels", Megapixels)
    device = read_params("compute", ComputeParams).device
    if options.model:
        predictor, why = find_model(options.model, device), f"{options.model} is used, as asked"
    else:
        predictor, why = choose(device)
    print(why)
    for path, stem in zip(photos, stems(photos), strict=True):
        photo = read_photo(path, max_megapixels)
        mask = predictor.mask(photo)
        files = {view: FOLDER / f"{stem}-{view}.png" for view in VIEWS}
        for view, file in files.items():
            write_picture(VIEWS[view](photo, mask.view("uint8")), file)
        print(f"{path}: person in {mask.mean():.1%} of it; see {', '.join(map(str, files.values()))}")


def stems(photos: list[Path]) -> list[str]:
    """What the pictures of each of `photos` are called; photos of the same name get numbers."""
    found: list[str] = []
    for photo in photos:
        tries = chain([photo.stem], (f"{photo.stem}-{number}" for number in count(2)))
        found.append(next(stem for stem in tries if stem not in found))
    return found


def choose(device: str) -> tuple[Predictor, str]:
    """The better of the starter and the best model trained here, by holdout Dice, and a line that says why."""
    files = filter(Path.exists, map(model_path, read_params("variants", list[Name])))
    scored = {file: score for file in files if (score := scored_dice(file)) is not None}
    if not scored:
        return find_model(STARTER, device), f"{STARTER} is used; no model was trained here yet"
    variant = max(scored, key=lambda file: scored[file]).stem
    own = find_model(variant, device)
    try:
        starter = find_model(STARTER, device)
        (ours, photos), (theirs, _) = measured_dice(own), measured_dice(starter)
    except (UserError, FileNotFoundError) as error:  # the photos are not here, or are not those of the split
        return own, f"{variant} is used; it cannot be compared with {STARTER}: {explain(error).removeprefix('error: ')}"
    said = f"on {photos} holdout photos {variant} has Dice {ours:.3f}, {STARTER} {theirs:.3f}"
    return (own, f"{variant} is used; {said}") if ours >= theirs else (starter, f"{STARTER} is used; {said}")


def scored_dice(file: Path) -> float | None:
    """Dice of the model in `file` on holdout, if it was scored here."""
    scored = file.parent == MODELS and file.stem in known_variants() and (METRICS / f"{file.stem}.json").exists()
    return read_metrics(file.stem).holdout.dice if scored else None


def measured_dice(predictor: Predictor) -> tuple[float, int]:
    """Mean Dice of the model on the first COMPARED holdout photos, at their own size, and how many these are."""
    rows = read_rows(LABELLED)
    indices = part_indices(read_split(list(rows["id"])), "holdout")[:COMPARED]
    photos, masks = read_photos(LABELLED), NativeMasks(rows)
    maps = predictor.maps([photos[index] for index in indices])
    targets = [masks[index] for index in indices]
    found = [predictor.clean_mask(one, target.shape) for one, target in zip(maps, targets, strict=True)]
    return float(np.mean([dice.dice(dice.count(*pair)) for pair in zip(found, targets, strict=True)])), len(indices)


def overlay(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGB (H, W, 3): the background dimmed to grey, and a line around the person; `mask` (H, W) is 0 and 1."""
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    picture = np.where(mask[..., None] > 0, photo, (grey * DIMMED + 255 * 0.3).astype(np.uint8))
    outlines, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(picture, outlines, -1, HIT, max(1, round(max(mask.shape) / 400)))


def cutout(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """RGBA (H, W, 4): the person on nothing, with an edge softened by a pixel so that it sits well on any colour."""
    return np.dstack([photo, cv2.blur(mask * np.uint8(255), (3, 3))])


VIEWS = {"mask": lambda _, mask: mask * np.uint8(255), "overlay": overlay, "cutout": cutout}


if __name__ == "__main__":
    run_main(main)
