"""The models that the page offers, and the pictures that they make of a photo."""

from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Any

import numpy as np

from src.compute import ComputeParams
from src.errors import UserError
from src.formats.metadata import MODELS, STARTERS
from src.formats.metrics import METRICS, read_metrics
from src.images import Megapixels, read_photo
from src.params import PARAMS, read_params
from src.pictures import encode
from src.predictor import Predictor
from tools.demo.cutout import cutout, overlay
from tools.find_model import find_model

VIEWS = {"cutout": cutout, "overlay": overlay, "mask": lambda _, mask: mask * np.uint8(255)}


class Shelf:
    """The model files `named`, or all in models and models/starters; each is kept in memory once it was used."""

    def __init__(self, named: list[Path]) -> None:
        self.named = named
        self.loaded: dict[Path, tuple[list[int], Predictor]] = {}  # with the times of the files that it was made of
        self.one_at_a_time = Lock()  # a prediction takes all cores, and a photo much memory

    def files(self) -> dict[str, Path]:
        """Model files by the names that the page shows: as they were named, or the starters and then the best first.

        Raises UserError if there is none.
        """
        found = self.named or [*STARTERS.glob("*.safetensors"), *MODELS.glob("*.safetensors")]
        if not found:
            raise UserError("there is no model yet; run make repro, or dvc pull train, then reload this page")
        if not self.named:
            found.sort(key=lambda file: (file.parent != STARTERS, -(holdout_dice(file) or 0), file))
        titles = {STARTERS: "starter {0.stem}", MODELS: "{0.stem}"}
        return {titles.get(file.parent, "{0}").format(file): file for file in found}

    def models(self) -> list[dict[str, Any]]:
        """Name and Dice on holdout, None if it is not known, of each model; the page begins with the first."""
        return [{"name": name, "dice": holdout_dice(file)} for name, file in self.files().items()]

    def picture(self, name: str, view: str, photo: bytes) -> bytes:
        """The PNG file that `make demo` would write: one of VIEWS of `photo`, an image file, by the model `name`.

        Raises UserError if the model or the photo cannot be read or the photo is too large.
        """
        file = self.files()[name]
        with self.one_at_a_time:
            pixels = decode(photo)
            mask = self.predictor(file).mask(pixels)
            return encode(VIEWS[view](pixels, mask.view(np.uint8)), ".png")

    def predictor(self, file: Path) -> Predictor:
        """The model in `file`; read again if that, its metrics (its threshold) or the params have changed."""
        made_of = (file, METRICS / f"{file.stem}.json", PARAMS)
        times = [path.stat().st_mtime_ns for path in made_of if path.exists()]
        if file not in self.loaded or self.loaded[file][0] != times:
            self.loaded[file] = times, find_model(file, read_params("compute", ComputeParams).device)
        return self.loaded[file][1]


def holdout_dice(file: Path) -> float | None:
    """Dice of the model in `file` on holdout, if it was scored here."""
    scored = file.parent == MODELS and (METRICS / f"{file.stem}.json").exists()
    return read_metrics(file.stem).holdout.dice if scored else None


def decode(photo: bytes) -> np.ndarray:
    """The pixels of an image file, as `read_photo` returns them; raises UserError, without the file's name."""
    with NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(photo)
        try:
            return read_photo(path, read_params("max_megapixels", Megapixels))
        except UserError as error:
            raise UserError(str(error).removeprefix(f"{path}: ")) from None
