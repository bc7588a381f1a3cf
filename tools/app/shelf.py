"""The models that the page offers, and the pictures that they make of a photo."""

from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock

import numpy as np

from src.compute import ComputeParams
from src.errors import UserError
from src.formats.metadata import MODELS, STARTERS
from src.formats.metrics import METRICS
from src.images import Megapixels, read_photo
from src.params import PARAMS, read_params
from src.pictures import encode
from src.predictor import Predictor
from tools.demo import VIEWS, scored_dice
from tools.find_model import find_model
from tools.lock import LOCK

ONE_AT_A_TIME = Lock()  # a prediction takes all cores, and a photo much memory


def find_files(named: list[Path]) -> dict[str, Path]:
    """Model files by the names that the page shows: those `named`, or the starters and then the best first."""
    found = named or [*STARTERS.glob("*.safetensors"), *MODELS.glob("*.safetensors")]
    if not named:
        found.sort(key=lambda file: (file.parent != STARTERS, -(scored_dice(file) or 0), file))
    titles = {STARTERS: "starter {0.stem}", MODELS: "{0.stem}"}
    return {titles.get(file.parent, "{0}").format(file): file for file in found}


def picture(file: Path, view: str, photo: bytes) -> bytes:
    """The PNG file that `make demo` would write: one of VIEWS of `photo`, an image file, by the model in `file`.

    Raises UserError if the model or the photo cannot be read or the photo is too large.
    """
    with ONE_AT_A_TIME, NamedTemporaryFile() as copy:
        path = Path(copy.name)
        path.write_bytes(photo)
        try:
            pixels = read_photo(path, read_params("max_megapixels", Megapixels))
        except UserError as error:  # the page names the photo
            raise UserError(str(error).removeprefix(f"{path}: ")) from None
        mask = predictor(file).mask(pixels)
        return encode(VIEWS[view](pixels, mask.view(np.uint8)), ".png")


def predictor(file: Path) -> Predictor:
    """The model in `file`; read again if that or what is known of it here has changed."""
    made_of = (file, METRICS / f"{file.stem}.json", LOCK, PARAMS)
    return _load(file, *(path.stat().st_mtime_ns for path in made_of if path.exists()))


@lru_cache(maxsize=16)
def _load(file: Path, *times: int) -> Predictor:
    return find_model(file, read_params("compute", ComputeParams).device)
