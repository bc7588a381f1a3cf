"""The models that the page offers, each as an ONNX file that is made when it is first asked for."""

import hashlib
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from src.errors import UserError
from src.formats.metrics import METRICS, read_metrics
from src.formats.model import MODELS, STARTERS
from src.images import Megapixels
from src.params import PARAMS, read_params
from src.postprocess import PostprocessParams
from tools.export.card import facts
from tools.export.graph import WholeWay, write_onnx
from tools.export.subject import Subject, read_subject

KEPT = Path(".cache/app")  # the ONNX files
CODE = ("src/models/*.py", "stages/predict/*.py", "tools/export/*.py")  # what they are made by
KEY = 16  # letters of the hash in their names
UNKNOWN = 0.5  # the threshold where none was chosen
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
        self.subjects: dict[str, tuple[str, Subject]] = {}  # each with the hash of what it was made of

    def settings(self) -> dict[str, Any]:
        """What the page needs to begin: the models, the starters first and then the best first, and what limits it."""
        dice = {name: self.dice(name) for name in self.files}
        names = sorted(self.files, key=lambda name: (self.files[name].parent != STARTERS, -(dice[name] or 0)))
        return {
            "models": [{"name": name, "dice": dice[name]} for name in names],
            "postprocess": read_params("postprocess", PostprocessParams).model_dump(),
            "max_megapixels": read_params("max_megapixels", Megapixels),
        }

    def dice(self, name: str) -> float | None:
        """Its Dice on holdout, if it was scored here."""
        own = self.files[name].parent == MODELS and (METRICS / f"{name}.json").exists()
        return read_metrics(name).holdout.dice if own else None

    def threshold(self, name: str) -> float:
        """From which probability on a pixel is person; raises like `onnx`."""
        return self.subject(name)[1].threshold or UNKNOWN

    def subject(self, name: str) -> tuple[str, Subject]:
        """The model as it is now, after a hash of all that it is made of; raises UserError if it cannot be read,
        KeyError if there is none.
        """
        file = self.files[name]
        made_of = [file, PARAMS, *(path for pattern in CODE for path in sorted(Path().glob(pattern)))]
        if self.dice(name) is not None:
            made_of.append(METRICS / f"{name}.json")  # which has its threshold
        digests = [digest(path, path.stat().st_mtime_ns, path.stat().st_size) for path in made_of]
        key = hashlib.sha256("".join(digests).encode()).hexdigest()[:KEY]
        if name not in self.subjects or self.subjects[name][0] != key:
            self.subjects[name] = key, read_subject(file.stem if file.parent == MODELS else str(file))
        return self.subjects[name]

    def onnx(self, name: str) -> Path:
        """Its ONNX file, made anew if the model, the params or the code has changed since; raises like `subject`."""
        with ONE_AT_A_TIME:
            key, subject = self.subject(name)
            path = KEPT / f"{name}-{key}.onnx"
            if not path.exists():
                for old in KEPT.glob(f"{name}-{'?' * KEY}.onnx"):
                    old.unlink()
                write_onnx(
                    WholeWay(subject.models, subject.shares, subject.image_size, subject.prediction),
                    path,
                    facts(subject),
                )
        return path


@cache
def digest(path: Path, changed: int, size: int) -> str:
    """The SHA-256 of a file that was `changed` then and has `size` bytes; another time or size is read again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
