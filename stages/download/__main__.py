"""download: the photos of the source, in the raw folder's layout, to data/raw."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src import sources
from src.errors import run_main
from src.files import remove_leftovers
from src.formats.raw import RAW, list_raw
from src.params import Name, read_params
from stages.download.place import check_ours, place


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


def main() -> None:
    source = read_params("source", Name)
    module = sources.find(source)
    params = read_params(source, module.Params)
    check_ours(RAW)  # before minutes of work, and again when it is replaced
    with scratch_folder() as scratch:
        place(module.fetch(params, scratch), RAW, scratch)
    raw = list_raw(RAW)
    print(f"{RAW}: {len(raw.photos)} labelled photos, {len(raw.tests)} test photos")


if __name__ == "__main__":
    run_main(main)
