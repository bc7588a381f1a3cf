"""Where a training starts: from random weights, an earlier model, or an encoder that somebody else trained."""

import hashlib
from pathlib import Path
from typing import Any

from src import models
from src.errors import UserError
from src.formats.metadata import STARTERS, origin, read_model
from src.formats.model import is_model, load_model
from src.models.blocks import SegmentationModel

NONE = STARTERS / "none"  # `start` in params.yaml for random weights; DVC wants a path that exists
# Arguments of a model that may differ from those of the file, as they say how it learns and not what it is.
LEARNING = ("dropout", "encoder_lr_factor", "encoder_weights")


def check_start(path: Path) -> None:
    """Raises UserError if it is no file."""
    if not path.is_file():
        wrong = f"{path} is a folder" if path.is_dir() else f"there is no file {path}"
        raise UserError(f"params.yaml: start: {wrong}; name a model file, or {NONE} for random weights")


def described(path: Path) -> dict[str, str] | None:
    """What a model's metadata says of where it started; None for random weights."""
    if path == NONE:
        return None
    with path.open("rb") as file:
        about = {"file": str(path), "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    earlier = origin(read_model(path)[1]) if is_model(path) else ""
    return about | ({"origin": earlier} if earlier else {})


def begin(variant: str, arguments: dict[str, Any], path: Path) -> SegmentationModel:
    """A model of `variant` with the weights in `path`; the rest is random, drawn from torch's default generator.

    `path` is a model of this project (the first one, where it holds one per fold), or a timm encoder's state dict in
    safetensors for a variant that has an encoder. Raises UserError if it does not fit.
    """
    if path == NONE:
        return models.build(variant, arguments)
    model = models.build(variant, models.model_class(variant).without_pretraining(arguments))
    if not is_model(path):
        model.load_encoder(path)
        return model
    earlier, about = load_model(path)
    if about["variant"] != variant:
        there = about["variant"]
        raise UserError(f"params.yaml: start: {path} is a {there}, not a {variant}; train {there} alone: train@{there}")
    saved = models.check_saved(variant, about["arguments"], path)
    for key in sorted(arguments.keys() - LEARNING):
        if saved[key] != arguments[key]:
            raise UserError(
                f"params.yaml: start: {path} has {key} {saved[key]}, and params.yaml says {arguments[key]} for "
                f"{variant}; make them equal"
            )
    model.load_state_dict(earlier.members[0].state_dict())
    return model
