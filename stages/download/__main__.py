"""download: the photos of the source, in the raw folder's layout, to data/raw."""

import tempfile
from pathlib import Path

from src import sources, stage
from src.formats.raw import RAW, list_raw
from stages.download.place import place


def main() -> None:
    source = stage.read_params("source", str)
    module = sources.find(source)
    params = stage.read_params(source, module.Params)
    RAW.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RAW.parent, prefix=".download-") as scratch:
        place(module.fetch(params, Path(scratch)), RAW, Path(scratch))
    raw = list_raw(RAW)
    print(f"{RAW}: {len(raw.photos)} labelled photos, {len(raw.tests)} test photos")


if __name__ == "__main__":
    stage.run(main)
