"""The format of models/VARIANT.safetensors: the weights of a variant, and all that is needed to rebuild and explain it.

Tensors are named NUMBER.NAME: the number of the member (0, or one per fold that was trained) and its name in the
member's state dict. The metadata holds, as JSON under `about`, at least `variant` and `arguments`.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from src.errors import UserError
from src.formats.tensors import DamagedError, Groups, read_tensors, write_tensors
from src.models import build, check_saved
from src.models.blocks import FoldEnsemble

MODELS = Path("models")
STARTERS = MODELS / "starters"  # the models that git holds


def model_path(variant: str) -> Path:
    """Where the model of `variant` is."""
    return MODELS / f"{variant}.safetensors"


def save_model(path: Path, members: list[dict[str, Tensor]], about: dict[str, Any]) -> None:
    """Writes the state dicts of `members`, one model per trained fold, all of one architecture, and `about`.

    `about` must be JSON and hold at least `variant` and `arguments`, from which `load_model` rebuilds the members.
    """
    write_tensors(path, {str(number): member for number, member in enumerate(members)}, about)


def is_model(path: Path) -> bool:
    """Whether the safetensors file `path` was written by this project; raises UserError if it is no such file."""
    try:
        with safe_open(path, framework="pt") as file:
            return "about" in (file.metadata() or {})
    except (OSError, SafetensorError):
        raise UserError(f"{path} is not a whole safetensors file; get it again") from None


def load_model(path: Path) -> tuple[FoldEnsemble, dict[str, Any]]:
    """The models in `path`, rebuilt from the file alone, in eval mode, and what its metadata says about them.

    Their weights are float32; a file may hold them as float16, which takes half the space.

    Raises UserError if it is damaged or not one of this project's models; FileNotFoundError if there is none.
    """
    again = "get it again"
    if path.parent == MODELS:
        again += f": dvc pull train@{path.stem}, or dvc repro -f -s train@{path.stem}"
    if not path.exists() and not path.is_symlink():
        raise FileNotFoundError(2, "No such file", str(path))
    try:
        members, about = read_tensors(path)
        members = {number: _in_full(member) for number, member in members.items()}
        arguments = check_saved(about["variant"], about["arguments"], "metadata")
        _check_weights(members, about["variant"], arguments)
    except (DamagedError, UserError) as error:
        raise UserError(f"{path}: {error}; {again}") from None
    except (KeyError, TypeError):
        raise UserError(f"{path}: not a model of this project; {again}") from None
    models = [build(about["variant"], arguments) for _ in members]
    for number, model in enumerate(models):
        model.load_state_dict(members[str(number)])
    return FoldEnsemble(models).eval(), about


def _check_weights(members: Groups, variant: str, arguments: dict[str, Any]) -> None:
    """Raises DamagedError if `members` are not weights of that model, before any of its own memory is taken."""
    with torch.device("meta"):  # takes no memory, whatever the file asks for
        wanted = _shapes(build(variant, arguments).state_dict())
    if not members or any(_shapes(members[str(number)]) != wanted for number in range(len(members))):
        raise DamagedError("its weights are not those of the model that it names")
    if not all(tensor.isfinite().all() for member in members.values() for tensor in member.values()):
        raise DamagedError("some of its weights are not numbers")


def _in_full(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.float() if tensor.dtype == torch.float16 else tensor for name, tensor in tensors.items()}


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
