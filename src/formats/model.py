"""The format of models/VARIANT.safetensors: the weights of a variant, and all that is needed to rebuild and explain it.

Tensors are named NUMBER.NAME: the number of the member (0, or one per fold that was trained) and its name in the
member's state dict. The metadata holds, as JSON under `about`, at least `variant` and `arguments`.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from src.formats.tensors import read_tensors, write_tensors
from src.models import architecture, build
from src.models.blocks import Ensemble

MODELS = Path("models")


def model_path(variant: str) -> Path:
    """Where the model of `variant` is."""
    return MODELS / f"{variant}.safetensors"


def save_model(path: Path, members: list[dict[str, Tensor]], about: dict[str, Any]) -> None:
    """Writes the state dicts of `members`, one model per trained fold, all of one architecture, and `about`.

    `about` must be JSON and hold at least `variant` and `arguments`, from which `load_model` rebuilds the members.
    """
    write_tensors(path, {str(number): member for number, member in enumerate(members)}, about)


def load_model(path: Path) -> tuple[Ensemble, dict[str, Any]]:
    """The models in `path`, rebuilt from the file alone, in eval mode, and what its metadata says about them."""
    members, about = read_tensors(path)
    arguments = architecture(about["variant"]).without_pretraining(about["arguments"])
    models = [build(about["variant"], arguments) for _ in members]
    for number, model in enumerate(models):
        model.load_state_dict(members[str(number)])
    return Ensemble(models).eval(), about
