"""The architectures, one module each, found by name: `unet` is the model class in `src/models/unet.py`."""

import importlib
from pathlib import Path
from typing import Any

from src.errors import UserError
from src.models.blocks import SegmentationModel
from src.params import check_value, signature_schema


def known_variants() -> list[str]:
    """The names that `variants` may hold, in alphabetical order."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "blocks"))


def model_class(architecture: str, where: str = "params.yaml: variants") -> type[SegmentationModel]:
    """The model class of `architecture`, which stands at `where`.

    Raises UserError for an unknown one, and for a file without its one class.
    """
    if architecture not in known_variants():
        raise UserError(f"{where}: there is no {architecture!r}; choose from {', '.join(known_variants())}")
    module = importlib.import_module(f"src.models.{architecture}")
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, SegmentationModel) and thing.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise UserError(f"src/models/{architecture}.py: one class must extend SegmentationModel, but {len(found)} do")
    return found[0]


def check_arguments(architecture: str, shared: dict[str, Any], preset: dict[str, Any], budget: str) -> dict[str, Any]:
    """The constructor's arguments of `architecture`: `models.NAME` of params.yaml, which the budgets share, and
    `BUDGET.models.NAME`, its preset, together.

    Raises UserError for a key that stands in both, and for unknown, missing or ill-typed ones.
    """
    key = f"models.{architecture}"
    if both := shared.keys() & preset.keys():
        raise UserError(f"params.yaml: {min(both)} is in {key} and in {budget}.{key}; keep one")
    return check_value(key, shared | preset, signature_schema(model_class(architecture))).model_dump()


def check_saved(architecture: str, arguments: dict[str, Any], where: object) -> dict[str, Any]:
    """The constructor's arguments that the model file `where` holds, without what is only needed to begin a training.

    Raises UserError that names `where`, for an unknown architecture or arguments that are not its own.
    """
    found = model_class(architecture, f"{where}: variant")
    return check_value("arguments", found.without_pretraining(arguments), signature_schema(found), where).model_dump()


def build(architecture: str, arguments: dict[str, Any]) -> SegmentationModel:
    """A new model of `architecture`, with random weights drawn from torch's default generator."""
    return model_class(architecture)(**arguments)


def check_image_size(architecture: str, model: SegmentationModel, size: int, halved: bool) -> None:
    """Raises UserError if photos of `size` pixels squared, `halved` at first or not, are too small to train `model`."""
    least = 2 * model.min_size if halved else model.min_size
    if size < least:
        where = "or the budget's train.small_share 0" if halved else "or the model less deep where it has a depth"
        raise UserError(
            f"params.yaml: image_size: {size} is too small for {architecture}; it must be at least {least}, {where}"
        )
