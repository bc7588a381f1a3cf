"""download: the photos of the source, in the raw folder's layout, to data/raw."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src import sources, stage
from src.files import remove_leftovers
from src.formats.raw import RAW, list_raw
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
    source = stage.read_params("source", stage.Name)
    module = sources.find(source)
    params = stage.read_params(source, module.Params)
    check_ours(RAW)  # before minutes of work, and again when it is replaced
    with scratch_folder() as scratch:
        place(module.fetch(params, scratch), RAW, scratch)
    raw = list_raw(RAW)
    print(f"{RAW}: {len(raw.photos)} labelled photos, {len(raw.tests)} test photos")


if __name__ == "__main__":
    stage.run(main)
