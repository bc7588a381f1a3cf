"""prepare: photos and masks at the working size, as arrays, with a row of facts per photo."""

from typing import Annotated

from pydantic import Field

from src import stage
from src.prepare import prepare_labelled, prepare_test
from src.prepared import write_labelled, write_test
from src.raw import RAW, list_raw
from src.traits import TraitParams


def main() -> None:
    size = stage.read_params("image_size", Annotated[int, Field(ge=32, le=4096)])
    traits = stage.read_params("traits", TraitParams)
    raw = list_raw(RAW)
    write_labelled(*prepare_labelled(raw, size, traits))
    write_test(*prepare_test(raw, size, traits))


if __name__ == "__main__":
    stage.run(main)
