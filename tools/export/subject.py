"""What is exported: the models of a variant, an ensemble or a file, and all that is known about them."""

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from src.compute import Runtime
from src.errors import UserError
from src.formats.metrics import METRICS, read_metrics
from src.formats.model import load_model, model_path
from src.images import ImageSize, resize_photo
from src.models import known_variants
from src.models.blocks import FoldEnsemble
from src.params import Name, read_params
from src.postprocess import AUTO, PostprocessParams, upsample
from stages.predict.maps import PredictParams, predict


class Subject(NamedTuple):
    """Models that predict together, and what is known about them.

    Each of the `files` has a model, its metadata in `abouts`, and how much it counts in `shares`, which sum up to 1.
    """

    name: str
    files: list[Path]
    models: list[FoldEnsemble]
    shares: list[Fraction]
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
        mean = np.average(maps, axis=0, weights=[float(share) for share in self.shares])
        return upsample(mean.round().astype(np.uint8), *photo.shape[:2]) / 255


def read_subject(which: str, mirror: bool | None = None) -> Subject:
    """The variant, ensemble or model file `which`; `mirror` takes the place of `predict.mirror`, unless it is None.

    Raises UserError if there is no such thing.
    """
    ensembles = read_params("ensembles", dict[Name, list])
    own_file = which.endswith(".safetensors")
    if own_file:
        if not Path(which).exists():
            raise UserError(f"{which}: there is no such file; give a model file, or the name of a variant")
        name, parts = Path(which).stem, {Path(which): Fraction(1)}
    elif which in ensembles or which in known_variants():
        shares = shares_of_variants(ensembles).get(which, {which: Fraction(1)})
        name, parts = which, {model_path(variant): share for variant, share in shares.items()}
    else:
        names = ", ".join([*known_variants(), *ensembles])
        raise UserError(f"there is no variant {which!r}; choose from {names}, or give the path of a model file")
    loaded = [load_model(file) for file in parts]
    abouts = [about for _, about in loaded]
    prediction = read_params("predict", PredictParams)
    metrics = read_metrics(name) if not own_file and (METRICS / f"{name}.json").exists() else None
    return Subject(
        name=name,
        files=list(parts),
        models=[model.float() for model, _ in loaded],
        shares=list(parts.values()),
        abouts=abouts,
        image_size=abouts[0].get("image_size") or read_params("image_size", ImageSize),
        prediction=prediction if mirror is None else prediction.model_copy(update={"mirror": mirror}),
        threshold=threshold(metrics) or abouts[0].get("threshold"),  # as the demo
        metrics=metrics,
        source=abouts[0].get("source") or read_params("source", Name),
    )


def shares_of_variants(ensembles: dict[str, list[str]]) -> dict[str, dict[str, Fraction]]:
    """How much each variant counts in each of `ensembles`, whose members may be ensembles that stand before them."""
    result: dict[str, dict[str, Fraction]] = {}
    for name, members in ensembles.items():
        total: dict[str, Fraction] = {}
        for member in members:
            for variant, share in result.get(member, {member: Fraction(1)}).items():
                total[variant] = total.get(variant, Fraction(0)) + share / len(members)
        result[name] = total
    return result


def threshold(metrics: dict[str, Any] | None) -> float | None:
    """From which probability on a pixel is person: a fixed one, or what evaluate chose; None if that is not known."""
    fixed = read_params("postprocess", PostprocessParams).threshold
    chosen = metrics["threshold"] if metrics else None
    return chosen if fixed == AUTO else float(fixed)
