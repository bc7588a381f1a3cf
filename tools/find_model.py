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
    """What params.yaml and metrics/ say of the variant or ensemble `name`, as Metadata."""
    metrics = read_metrics(name) if (METRICS / f"{name}.json").exists() else None
    predict, postprocess = read_params("predict", dict), read_params("postprocess", dict)
    return release_facts(predict, postprocess, read_params("source", Name), metrics)
