"""prepare: photos and masks at the working size, as arrays, with a row of facts per photo."""

from contextlib import closing

from src.errors import run_main
from src.formats.prepared import write_labelled, write_test
from src.formats.raw import read_raw
from src.images import Megapixels
from src.params import ImageSize, read_params
from stages.prepare.arrays import prepare_labelled, prepare_test
from stages.prepare.traits import TraitParams


def main() -> None:
    size, max_megapixels = read_params("image_size", ImageSize), read_params("max_megapixels", Megapixels)
    traits = read_params("traits", TraitParams)
    raw = read_raw()
    # Closed here, whatever goes wrong: else Python may close them in one of their own threads.
    with closing(prepare_labelled(raw, size, max_megapixels, traits)) as labelled:
        write_labelled(labelled)
    with closing(prepare_test(raw, size, max_megapixels, traits)) as test:
        write_test(test)


if __name__ == "__main__":
    run_main(main)
