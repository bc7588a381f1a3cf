"""demo [--model M] PHOTO ...: cuts the people out of any photos; writes PNG files to demo/.

Without --model, the best model that was trained here is used if it does better on the holdout photos than the starter
that came with the clone, and else the starter.
"""

import argparse
from pathlib import Path

from src.compute import ComputeParams, one_device
from src.errors import UserError, run_main
from src.files import check_file
from src.images import ImageSize, Megapixels, read_photo, resize_photo
from src.params import Name, read_params
from src.postprocess import PostprocessParams, final_mask
from stages.predict.maps import PredictParams, predict
from tools.demo.choose import Settings, choose, named
from tools.demo.cutout import names, write_all

FOLDER = Path("demo")


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, nargs="*", metavar="PHOTO")
    parser.add_argument("--model", help="a variant that was trained here, or a model file")
    options = parser.parse_args(arguments)
    if not options.photos:
        raise UserError("name at least one photo: make demo PHOTO=path/to/photo.jpg")
    for photo in options.photos:
        if not photo.exists():
            raise UserError(f"{photo}: there is no such file; give the path of a PNG, JPEG or WebP photo")
        check_file(photo)
    settings = Settings(
        read_params("image_size", ImageSize),
        read_params("release", Name),
        read_params("predict", PredictParams),
        read_params("postprocess", PostprocessParams),
    )
    most = read_params("max_megapixels", Megapixels)
    runtime = one_device(read_params("compute", ComputeParams), alone=False)
    ready, why = named(runtime, options.model, settings) if options.model else choose(runtime, settings)
    print(why)
    for path, files in zip(options.photos, names(options.photos, FOLDER), strict=True):
        pixels = read_photo(path, most)
        seen = resize_photo(pixels, ready.image_size)
        probability = predict(runtime, ready.model, seen[None], settings.predict, path.name)[0]
        mask = final_mask(probability, pixels.shape[:2], ready.threshold, settings.postprocess)
        write_all(pixels, mask, files)
        print(f"{path}: person in {mask.mean():.1%} of it; see {', '.join(map(str, files))}")


if __name__ == "__main__":
    run_main(main)
