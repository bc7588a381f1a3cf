"""What a released model file holds beside its weights, so that it needs nothing else of the project to make a mask."""

from pathlib import Path
from typing import Any

from src.formats.metadata import CLEANED, Metadata, Score, check_metadata, model_path, origin, read_model
from src.formats.metrics import Metrics
from src.formats.tensors import Groups

RELEASED = Path("release/model.safetensors")
CARD = Path("release/README.md")
NOT_LEARNED = ("running_mean", "running_var", "num_batches_tracked")  # BatchNorm's own
# What may be done with what was learned from photos, by their source.
LICENSES = {
    "synthetic": "Drawn people: this project's own code draws the photos, under the MIT license.",
    "kaggle": "Supervisely's photos of persons, by way of Kaggle: not for commercial use.",
    "local": "Photos of somebody's own: whoever took them, and whoever is on them, says what is allowed.",
}
UNKNOWN = "Photos of a source that this project does not know; ask whoever made this file."


def release_facts(
    predict: dict[str, Any], postprocess: dict[str, Any], source: str, metrics: Metrics | None
) -> dict[str, Any]:
    """The part of a file's Metadata that is known only here: how to predict and the licence, by those blocks of
    params.yaml, and from `metrics`, None for a model that was not scored, the threshold that evaluate settled on and
    the scores on holdout.
    """
    facts = {
        "mirror": predict["mirror"],
        "scale": predict["scale"],
        **{name: postprocess[name] for name in CLEANED},
        "source": source,
        "license": LICENSES.get(source, UNKNOWN),
    }
    if metrics:
        score = metrics.holdout.model_dump(include=set(Score.__annotations__))
        on = f"holdout photos of the same kind, source {source}"
        facts |= {"threshold": metrics.threshold, "scores": [{"on": on} | score]}
    return facts


def released(variant: str, facts: dict[str, Any]) -> tuple[Groups, Metadata]:
    """The tensors and metadata of models/VARIANT.safetensors, with `facts` in it; raises as `read_model` does."""
    groups, metadata = read_model(model_path(variant))
    return groups, check_metadata({**metadata, **facts, "origin": origin(metadata)})


def parameters(groups: Groups) -> int:
    """How many numbers were learned."""
    tensors = [(name, tensor) for member in groups.values() for name, tensor in member.items()]
    return sum(tensor.numel() for name, tensor in tensors if not name.endswith(NOT_LEARNED))
