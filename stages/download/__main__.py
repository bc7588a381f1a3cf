"""download: the photos of the source, checked, to data/downloaded.zip."""

import shutil

from src import sources
from src.errors import UserError, run_main
from src.formats.raw import RAW, find_layout, write_raw
from src.params import Name, read_params
from src.sources.archive import unpack


def main() -> None:
    source = read_params("source", Name)
    module = sources.find(source)
    params = read_params(source, module.Params)
    scratch = RAW.parent / ".download"
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed; DVC runs one at a time
    scratch.mkdir(parents=True)
    try:
        origin = module.fetch(params, scratch)  # a folder or a zip
        folder = origin if origin.is_dir() else unpack(origin, scratch / "unpacked")
        try:
            raw = write_raw(find_layout(folder))
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(origin))) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{RAW}: {len(raw.photos)} labelled photos, {len(raw.tests)} test photos")


if __name__ == "__main__":
    run_main(main)
