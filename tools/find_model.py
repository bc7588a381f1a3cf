"""A model by the name that people type: that of a variant trained here, or the path of a model file."""

from pathlib import Path
from typing import Any

from src.errors import UserError
from src.files import check_file
from src.formats.metadata import MODELS, model_path
from src.formats.metrics import METRICS, read_metrics
from src.models import known_variants
from src.params import Name, read_params
from src.predictor import Predictor, load
from src.release.facts import release_facts
from tools.lock import hashes, md5_of, read_stages


def find_model(name: str | Path, device: str = "auto", **changes: Any) -> Predictor:
    """The model `name`, with `changes` to its metadata.

    The file of a variant that was trained here does not hold how to predict and at which threshold: that comes from
    params.yaml and its metrics. Any other file speaks for itself. Raises UserError if there is no such model.
    """
    path = find_file(name)
    ours = path.stem in known_variants() and path.parent.resolve() == MODELS.resolve()
    return load(path, device, **(known_here(path.stem) if ours else {}) | changes)


def find_file(name: str | Path) -> Path:
    """The file of the model `name`; raises UserError if there is none."""
    path = model_path(str(name)) if str(name) in known_variants() else Path(name)
    if not path.exists() and not path.is_symlink():
        raise UserError(f"there is no model {path}; name a variant that was trained here or pulled, or a model file")
    check_file(path)
    return path


def known_here(name: str) -> dict[str, Any]:
    """How the variant or ensemble `name` was scored and on whose photos, by dvc.lock and metrics/, as Metadata.

    params.yaml may be another run's by now: it counts where nothing has run. Scores of another training are left out.
    """
    path, stages = model_path(name), read_stages()
    scored = stages.get(f"evaluate@{name}") or stages.get(f"ensemble@{name}")
    predict, train = (stages.get(f"{stage}@{name}") for stage in ("predict", "train"))
    md5 = md5_of(path) if path.exists() else ""
    trained, predicted = (not stage or hashes(stage)[str(path)] == md5 for stage in (train, predict))
    metrics = read_metrics(name) if predicted and (METRICS / f"{name}.json").exists() else None
    source = of_last_run(stages.get("download"), "source", Name) if trained else "unknown"
    return release_facts(
        of_last_run(predict, "predict", dict), of_last_run(scored, "postprocess", dict), source, metrics
    )


def of_last_run(stage: dict[str, Any] | None, key: str, kind: type) -> Any:
    """What `key` was when the `stage` of dvc.lock ran; what it is in params.yaml if there is no such stage."""
    return stage["params"]["params.yaml"][key] if stage else read_params(key, kind)
