"""demo [--model M] [PHOTO ...]: cuts the people out of any photos; writes PNG files to demo/.

Without --model, the best model that was trained here is used if it does better on the holdout photos than the starter
that came with the clone, and else the starter. Without a photo, that of an astronaut is cut out.
"""

import argparse
from itertools import chain, count
from pathlib import Path

import skimage

from src.compute import ComputeParams
from src.errors import run_main
from src.images import Megapixels, read_photo
from src.params import read_params
from src.pictures import write_picture
from tools.demo.choose import choose
from tools.demo.cutout import VIEWS
from tools.find_model import find_model

FOLDER = Path("demo")
EXAMPLE = Path(skimage.__file__).parent / "data/astronaut.png"  # by NASA, in the public domain


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="*", metavar="PHOTO", help="default: a portrait by NASA")
    parser.add_argument("--model", help="a variant that was trained here, or a model file")
    options = parser.parse_args(arguments)
    photos = options.photos or [EXAMPLE]
    max_megapixels = read_params("max_megapixels", Megapixels)
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


if __name__ == "__main__":
    run_main(main)
