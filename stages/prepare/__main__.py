"""prepare: photos and masks at the working size, as arrays, with a row of facts per photo."""

from contextlib import closing

from src.errors import run_main
from src.formats.prepared import LABELLED, TEST, write_prepared
from src.formats.raw import read_raw
from src.images import Megapixels
from src.params import ImageSize, read_params
from stages.prepare.arrays import prepare
from stages.prepare.traits import TraitParams


def main() -> None:
    size, max_megapixels = read_params("image_size", ImageSize), read_params("max_megapixels", Megapixels)
    traits = read_params("traits", TraitParams)
    raw = read_raw()
    for part, photos, masks in ((LABELLED, raw.photos, raw.masks), (TEST, raw.tests, [])):
        # Closed here, whatever goes wrong: else Python may close its threads in one of their own.
        with closing(prepare(photos, masks, size, max_megapixels, traits)) as items:
            write_prepared(part, items)


if __name__ == "__main__":
    run_main(main)
