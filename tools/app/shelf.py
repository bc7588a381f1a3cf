"""The models that the page offers, each as an ONNX file that is made when it is first asked for."""

import hashlib
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from src.errors import UserError
from src.formats.metadata import MODELS, STARTERS
from src.formats.metrics import METRICS, read_metrics
from src.images import Megapixels
from src.params import PARAMS, read_params
from src.predictor import Predictor
from tools.export.graph import ExportModel, write_onnx
from tools.find_model import find_model

KEPT = Path(".cache/app")  # the ONNX files
CODE = ("src/models/*.py", "src/inference.py", "tools/export/*.py")  # what they are made by
KEY = 16  # letters of the hash in their names
ONE_AT_A_TIME = Lock()  # torch exports one model at a time


class Shelf:
    """Model files by the names that the page knows them by: `files`, or all in models and models/starters."""

    def __init__(self, files: list[Path]) -> None:
        found = files or [*sorted(STARTERS.glob("*.safetensors")), *sorted(MODELS.glob("*.safetensors"))]
        self.files: dict[str, Path] = {}
        for file in found:
            name = f"starter {file.stem}" if file.parent == STARTERS else file.stem
            if name in self.files:
                raise UserError(f"{file} and {self.files[name]} would have the same name; rename one of them")
            self.files[name] = file
        self.predictors: dict[str, tuple[str, Predictor]] = {}  # each with the hash of what it was made of

    def settings(self) -> dict[str, Any]:
        """What the page needs to begin: the models, the starters first and then the best first, and what limits it."""
        dice = {name: self.dice(name) for name in self.files}
        names = sorted(self.files, key=lambda name: (self.files[name].parent != STARTERS, -(dice[name] or 0)))
        return {
            "models": [{"name": name, "dice": dice[name]} for name in names],
            "max_megapixels": read_params("max_megapixels", Megapixels),
        }

    def dice(self, name: str) -> float | None:
        """Its Dice on holdout, if it was scored here."""
        own = self.files[name].parent == MODELS and (METRICS / f"{name}.json").exists()
        return read_metrics(name).holdout.dice if own else None

    def facts(self, name: str) -> dict[str, Any]:
        """How its probabilities become a mask: threshold, smooth_px, min_component_px; raises like `onnx`."""
        return self.predictor(name)[1].postprocess.model_dump()

    def predictor(self, name: str) -> tuple[str, Predictor]:
        """The model as it is now, after a hash of all that it is made of; raises UserError if it cannot be read,
        KeyError if there is none.
        """
        file = self.files[name]
        made_of = [file, PARAMS, *(path for pattern in CODE for path in sorted(Path().glob(pattern)))]
        if self.dice(name) is not None:
            made_of.append(METRICS / f"{name}.json")  # which has its threshold
        digests = [digest(path, path.stat().st_mtime_ns, path.stat().st_size) for path in made_of]
        key = hashlib.sha256("".join(digests).encode()).hexdigest()[:KEY]
        if name not in self.predictors or self.predictors[name][0] != key:
            self.predictors[name] = key, find_model(file, "cpu")
        return self.predictors[name]

    def onnx(self, name: str) -> Path:
        """Its ONNX file, made anew if the model, the params or the code has changed since; raises like `predictor`."""
        with ONE_AT_A_TIME:
            key, predictor = self.predictor(name)
            path = KEPT / f"{name}-{key}.onnx"
            if not path.exists():
                for old in KEPT.glob(f"{name}-{'?' * KEY}.onnx"):
                    old.unlink()
                write_onnx(ExportModel([predictor]), path, {})
        return path


@cache
def digest(path: Path, changed: int, size: int) -> str:
    """The SHA-256 of a file that was `changed` then and has `size` bytes; another time or size is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
