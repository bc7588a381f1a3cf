"""demo [--model M] [PHOTO ...]: cuts the people out of any photos; writes PNG files to demo/.

Without --model, the best model that was trained here is used if it does better on the holdout photos than the starter
that came with the clone, and else the starter. Without a photo, that of an astronaut is cut out.
"""

import argparse
from pathlib import Path

import skimage

from src.compute import ComputeParams
from src.errors import UserError, run_main
from src.files import check_file
from src.images import Megapixels, read_photo
from src.params import read_params
from tools.demo.choose import choose
from tools.demo.cutout import names, write_all
from tools.find_model import find_model

FOLDER = Path("demo")
EXAMPLE = Path(skimage.__file__).parent / "data/astronaut.png"  # by NASA, in the public domain


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="*", metavar="PHOTO", help="default: a portrait by NASA")
    parser.add_argument("--model", help="a variant that was trained here, or a model file")
    options = parser.parse_args(arguments)
    photos = options.photos or [EXAMPLE]
    for photo in photos:
        if not photo.exists():
            raise UserError(f"{photo}: there is no such file; give the path of a PNG, JPEG or WebP photo")
        check_file(photo)
    max_megapixels = read_params("max_megapixels", Megapixels)
    device = read_params("compute", ComputeParams).device
    if options.model:
        predictor, why = find_model(options.model, device), f"{options.model} is used, as asked"
    else:
        predictor, why = choose(device)
    print(why)
    for path, files in zip(photos, names(photos, FOLDER), strict=True):
        photo = read_photo(path, max_megapixels)
        mask = predictor.mask(photo)
        write_all(photo, mask.view("uint8"), files)
        print(f"{path}: person in {mask.mean():.1%} of it; see {', '.join(map(str, files))}")


if __name__ == "__main__":
    run_main(main)
