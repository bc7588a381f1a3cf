"""download: the photos of the source, checked, to data/downloaded.zip."""

import os
import shutil
from pathlib import Path

from src import sources
from src.errors import UserError, run_main
from src.files import remove_leftovers
from src.formats.raw import RAW, RawFolder, find_layout, write_raw
from src.params import Name, read_params
from src.sources.archive import unpack


def write_photos(origin: Path, scratch: Path) -> RawFolder[Path]:
    """Writes RAW with the photos of `origin`, a folder or a zip, which is unpacked under `scratch`, and returns them.

    Raises UserError that names what does not fit the layout; RAW is then as it was.
    """
    folder = origin if origin.is_dir() else unpack(origin, scratch / "unpacked")
    try:
        return write_raw(find_layout(folder))
    except UserError as error:
        raise UserError(str(error).replace(str(folder), str(origin))) from None


def main() -> None:
    source = read_params("source", Name)
    module = sources.find(source)
    params = read_params(source, module.Params)
    scratch = RAW.parent / f".download-{os.getpid()}"  # a folder for this run alone
    scratch.mkdir(parents=True)
    remove_leftovers(RAW.parent, ".download-", "")  # of runs that were killed
    try:
        raw = write_photos(module.fetch(params, scratch), scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{RAW}: {len(raw.photos)} labelled photos, {len(raw.tests)} test photos")


if __name__ == "__main__":
    run_main(main)
