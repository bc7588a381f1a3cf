"""The models that the page offers, each as an ONNX file that is made when it is first asked for."""

from pathlib import Path
from threading import Lock
from typing import Any

from src import stage
from src.formats.metrics import METRICS, read_metrics
from src.formats.model import MODELS, STARTERS
from src.images import Megapixels
from src.postprocess import PostprocessParams
from tools.export.card import facts
from tools.export.graph import WholeWay, write_onnx
from tools.export.subject import Subject, read_subject

KEPT = Path(".cache/app")  # the ONNX files
CODE = ("src/models/*.py", "stages/predict/*.py", "tools/export/*.py")  # what they are made by
UNKNOWN = 0.5  # the threshold where none was chosen
ONE_AT_A_TIME = Lock()  # torch exports one model at a time


class Shelf:
    """Model files by the names that the page knows them by: `files`, or all in models and models/starters."""

    def __init__(self, files: list[Path]) -> None:
        found = files or [*sorted(STARTERS.glob("*.safetensors")), *sorted(MODELS.glob("*.safetensors"))]
        self.files: dict[str, Path] = {}
        for file in found:
            self.files[f"starter {file.stem}" if file.parent == STARTERS else file.stem] = file
        self.subjects: dict[str, Subject] = {}

    def settings(self) -> dict[str, Any]:
        """What the page needs to begin: the models, the starters first and then the best first, and what limits it."""
        dice = {name: self.dice(name) for name in self.files}
        names = sorted(self.files, key=lambda name: (self.files[name].parent != STARTERS, -(dice[name] or 0)))
        return {
            "models": [{"name": name, "dice": dice[name]} for name in names],
            "postprocess": stage.read_params("postprocess", PostprocessParams).model_dump(),
            "max_megapixels": stage.read_params("max_megapixels", Megapixels),
        }

    def dice(self, name: str) -> float | None:
        """Its Dice on holdout, if it was scored here."""
        own = self.files[name].parent == MODELS and (METRICS / f"{name}.json").exists()
        return read_metrics(name)["holdout"]["dice"] if own else None

    def threshold(self, name: str) -> float:
        """From which probability on a pixel is person; raises like `onnx`."""
        return self.subject(name).threshold or UNKNOWN

    def subject(self, name: str) -> Subject:
        """The model and what is known about it; raises UserError if it cannot be read, KeyError if there is none."""
        file = self.files[name]
        if name not in self.subjects:
            self.subjects[name] = read_subject(file.stem if file.parent == MODELS else str(file))
        return self.subjects[name]

    def onnx(self, name: str) -> Path:
        """Its ONNX file, made anew if the model, the params or the code has changed since; raises like `subject`."""
        made_of = [self.files[name], stage.PARAMS, *(path for pattern in CODE for path in Path().glob(pattern))]
        path = KEPT / f"{name}.onnx"
        with ONE_AT_A_TIME:
            if not path.exists() or path.stat().st_mtime < max(part.stat().st_mtime for part in made_of):
                subject = self.subject(name)
                write_onnx(WholeWay(subject.models, subject.image_size, subject.prediction), path, facts(subject))
        return path
