"""The architectures, one module each, found by name: the variant `unet` is the model class in `src/models/unet.py`."""

import importlib
from pathlib import Path
from typing import Any

from src.errors import UserError
from src.models.blocks import SegmentationModel
from src.params import check_value, signature_schema


def known_variants() -> list[str]:
    """The names that `variants` may hold, in alphabetical order."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "blocks"))


def architecture(variant: str) -> type[SegmentationModel]:
    """The model class of `variant`; raises UserError for an unknown one, and for a file without its one class."""
    if variant not in known_variants():
        raise UserError(f"params.yaml: variants: there is no {variant!r}; choose from {', '.join(known_variants())}")
    module = importlib.import_module(f"src.models.{variant}")
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, SegmentationModel) and thing.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise UserError(f"src/models/{variant}.py: one class must extend SegmentationModel, but {len(found)} do")
    return found[0]


def check_arguments(variant: str, structure: dict[str, Any], size: dict[str, Any], budget: str) -> dict[str, Any]:
    """The constructor's arguments of `variant`: `models.VARIANT` and `BUDGET.models.VARIANT` of params.yaml together.

    Raises UserError for a key that stands in both, and for unknown, missing or ill-typed ones.
    """
    if both := structure.keys() & size.keys():
        raise UserError(f"params.yaml: {min(both)} is in models.{variant} and in {budget}.models.{variant}; keep one")
    return check_value(f"models.{variant}", structure | size, signature_schema(architecture(variant))).model_dump()


def check_saved(variant: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The constructor's arguments that a model file holds, without what is only needed to begin a training.

    Raises UserError for an unknown variant, or arguments that are not its own.
    """
    found = architecture(variant)
    return check_value(
        "arguments", found.without_pretraining(arguments), signature_schema(found), "metadata"
    ).model_dump()


def build(variant: str, arguments: dict[str, Any]) -> SegmentationModel:
    """A new model of `variant`, with random weights drawn from torch's default generator."""
    return architecture(variant)(**arguments)


def check_image_size(variant: str, model: SegmentationModel, size: int) -> None:
    """Raises UserError if photos of `size` pixels squared are too small to train `model`."""
    if size < model.smallest:
        raise UserError(
            f"params.yaml: image_size: {size} is too small for {variant}; it must be at least {model.smallest}, or the "
            "model less deep where it has a depth"
        )
