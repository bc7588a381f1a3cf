"""download: the photos of the source, checked, to data/downloaded.zip."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src import sources
from src.errors import UserError, run_main
from src.files import remove_leftovers
from src.formats.raw import RAW, RawFolder, find_layout, write_raw
from src.params import Name, read_params
from src.sources.archive import unpack


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for this run alone; those of runs that were killed are removed."""
    RAW.parent.mkdir(exist_ok=True)
    remove_leftovers(RAW.parent, ".download-", "")
    scratch = RAW.parent / f".download-{os.getpid()}"
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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
    with scratch_folder() as scratch:
        raw = write_photos(module.fetch(params, scratch), scratch)
    print(f"{RAW}: {len(raw.photos)} labelled photos, {len(raw.tests)} test photos")


if __name__ == "__main__":
    run_main(main)
