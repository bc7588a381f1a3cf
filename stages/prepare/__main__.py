"""prepare: photos and masks at the working size, as arrays, with a row of facts per photo."""

from src import stage
from src.formats.prepared import write_labelled, write_test
from src.formats.raw import RAW, list_raw
from src.images import ImageSize, Megapixels
from stages.prepare.arrays import prepare_labelled, prepare_test
from stages.prepare.traits import TraitParams


def main() -> None:
    size, most = stage.read_params("image_size", ImageSize), stage.read_params("max_megapixels", Megapixels)
    traits = stage.read_params("traits", TraitParams)
    raw = list_raw(RAW)
    write_labelled(prepare_labelled(raw, size, most, traits))
    write_test(prepare_test(raw, size, most, traits))


if __name__ == "__main__":
    stage.run(main)
