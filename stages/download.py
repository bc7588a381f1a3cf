"""download: the photos of the profile, in the raw folder's layout, to data/raw."""

import tempfile
from pathlib import Path

from src import stage
from src.raw import RAW, list_raw
from src.sources import place, source


def main() -> None:
    profile = stage.read_params("profile", str)
    origin = source(profile)
    data = stage.read_params(f"{profile}.data", origin.Data)
    RAW.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RAW.parent, prefix=".download-") as scratch:
        place(origin.fetch(data, Path(scratch)), RAW, Path(scratch))
    raw = list_raw(RAW)
    print(f"{RAW}: {len(raw.photos)} labelled photos, {len(raw.tests)} test photos")


if __name__ == "__main__":
    stage.run(main)
