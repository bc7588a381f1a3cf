"""prepare: photos and masks at the working size, as arrays, with a row of facts per photo."""

from src import stage
from src.formats.prepared import write_labelled, write_test
from src.formats.raw import RAW, list_raw
from stages.prepare.arrays import prepare_labelled, prepare_test
from stages.prepare.traits import TraitParams


def main() -> None:
    size = stage.read_params("image_size", int)
    if not 32 <= size <= 4096:
        raise stage.UserError(f"params.yaml: image_size: must be from 32 to 4096, got {size}")
    traits = stage.read_params("traits", TraitParams)
    raw = list_raw(RAW)
    write_labelled(*prepare_labelled(raw, size, traits))
    write_test(*prepare_test(raw, size, traits))


if __name__ == "__main__":
    stage.run(main)
