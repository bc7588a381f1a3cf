"""The architectures, one module each, found by name: the variant `unet` is the model class in `src/models/unet.py`."""

import importlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from src.models.blocks import Ensemble, SegmentationModel
from src.stage import UserError, check, signature_schema


def known_variants() -> list[str]:
    """The names that `variants` may hold, in alphabetical order."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "blocks"))


def architecture(variant: str) -> type[SegmentationModel]:
    """The model class of `variant`; raises UserError for an unknown one."""
    if variant not in known_variants():
        raise UserError(f"params.yaml: variants: there is no {variant!r}; choose from {', '.join(known_variants())}")
    module = importlib.import_module(f"src.models.{variant}")
    (found,) = (
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, SegmentationModel) and thing.__module__ == module.__name__
    )
    return found


def check_arguments(variant: str, common: dict[str, Any], budget: dict[str, Any], profile: str) -> dict[str, Any]:
    """The constructor's arguments of `variant`: `models.VARIANT` and `PROFILE.models.VARIANT` of params.yaml together.

    Raises UserError for a key that stands in both, and for unknown, missing or ill-typed ones.
    """
    if both := common.keys() & budget.keys():
        raise UserError(f"params.yaml: {min(both)} is in models.{variant} and in {profile}.models.{variant}; keep one")
    return check(f"models.{variant}", common | budget, signature_schema(architecture(variant))).model_dump()


def build(variant: str, arguments: dict[str, Any]) -> SegmentationModel:
    """A new model of `variant`, with random weights drawn from torch's default generator."""
    return architecture(variant)(**arguments)


def save(path: Path, members: list[dict[str, Tensor]], about: dict[str, Any]) -> None:
    """Writes the state dicts of `members`, models of one kind that predict together, as safetensors.

    `about` says what made them and needs at least `variant` and `arguments`. Tensors are named NUMBER.NAME, with the
    member's number from 0.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # One metadata key: safetensors writes several in an order that changes from run to run.
    metadata = {"about": json.dumps(about, sort_keys=True)}
    partial = path.with_suffix(".partial")
    weights = {f"{n}.{name}": weight for n, member in enumerate(members) for name, weight in member.items()}
    save_file({name: weight.contiguous() for name, weight in weights.items()}, partial, metadata)
    partial.replace(path)


def load(path: Path) -> tuple[Ensemble, dict[str, Any]]:
    """The models in `path`, rebuilt from the file alone, in eval mode, and what its metadata says about them."""
    members: dict[int, dict[str, Tensor]] = defaultdict(dict)
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["about"])
        for key in file.keys():  # noqa: SIM118 - it is no dict
            number, name = key.split(".", 1)
            members[int(number)][name] = file.get_tensor(key)
    arguments = architecture(about["variant"]).without_pretraining(about["arguments"])
    models = [build(about["variant"], arguments) for _ in members]
    for number, model in enumerate(models):
        model.load_state_dict(members[number])
    return Ensemble(models).eval(), about
