"""What is exported: the models of a variant, an ensemble or a file, and all that is known about them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from src import stage
from src.compute import Runtime
from src.formats.metrics import METRICS, read_metrics
from src.formats.model import load_model, model_path
from src.images import ImageSize, resize_photo
from src.models import known_variants
from src.models.blocks import Ensemble
from src.postprocess import AUTO, PostprocessParams, upsample
from stages.predict.maps import PredictParams, predict


class Subject(NamedTuple):
    """Models that predict together, and what is known about them; `abouts` is the metadata of each of their files."""

    name: str
    files: list[Path]
    models: list[Ensemble]
    abouts: list[dict[str, Any]]
    image_size: int
    prediction: PredictParams
    threshold: float | None
    metrics: dict[str, Any] | None
    source: str

    def pipeline(self, photo: np.ndarray) -> np.ndarray:
        """The probability, float (H, W), that the pipeline finds for each pixel of `photo`, uint8 RGB (H, W, 3)."""
        small, runtime = resize_photo(photo, self.image_size)[None], Runtime(torch.device("cpu"))
        maps = [predict(runtime, model, small, self.prediction, self.name)[0].astype(float) for model in self.models]
        return upsample(np.mean(maps, axis=0).round().astype(np.uint8), *photo.shape[:2]) / 255


def read_subject(which: str, mirror: bool | None = None) -> Subject:
    """The variant, ensemble or model file `which`; `mirror` takes the place of `predict.mirror`, unless it is None.

    Raises UserError if there is no such thing.
    """
    ensembles = stage.read_params("ensembles", dict[stage.Name, list])
    own_file = which.endswith(".safetensors")
    if own_file:
        if not Path(which).exists():
            raise stage.UserError(f"{which}: there is no such file; give a model file, or the name of a variant")
        name, files = Path(which).stem, [Path(which)]
    elif which in ensembles:
        name, files = which, [model_path(member) for member in ensembles[which]]
    elif which in known_variants():
        name, files = which, [model_path(which)]
    else:
        names = ", ".join([*known_variants(), *ensembles])
        raise stage.UserError(f"there is no variant {which!r}; choose from {names}, or give the path of a model file")
    loaded = {file: load_model(file) for file in files}
    abouts = [loaded[file][1] for file in files]
    prediction = stage.read_params("predict", PredictParams)
    metrics = read_metrics(name) if not own_file and (METRICS / f"{name}.json").exists() else None
    return Subject(
        name=name,
        files=files,
        models=[loaded[file][0].float() for file in files],
        abouts=abouts,
        image_size=abouts[0].get("image_size") or stage.read_params("image_size", ImageSize),
        prediction=prediction if mirror is None else prediction.model_copy(update={"mirror": mirror}),
        threshold=threshold(metrics) or abouts[0].get("threshold"),  # as the demo
        metrics=metrics,
        source=abouts[0].get("source") or stage.read_params("source", stage.Name),
    )


def threshold(metrics: dict[str, Any] | None) -> float | None:
    """From which probability on a pixel is person: a fixed one, or what evaluate chose; None if that is not known."""
    fixed = stage.read_params("postprocess", PostprocessParams).threshold
    chosen = metrics["threshold"] if metrics else None
    return chosen if fixed == AUTO else float(fixed)
