"""The format of models/VARIANT.safetensors: the weights of a variant, and all that is needed to rebuild and explain it.

Tensors are named NUMBER.NAME: the number of the member (0, or one per fold that was trained) and its name in the
member's state dict. The header holds, as JSON under `about`, the metadata of src/formats/metadata.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from src.errors import UserError
from src.formats.metadata import MODELS, STARTERS, Metadata, blaming, model_path, read_model
from src.formats.tensors import DamagedError, Groups, write_tensors
from src.models import build, check_saved
from src.models.blocks import FoldEnsemble

__all__ = ["MODELS", "STARTERS", "is_model", "load_model", "model_path", "save_model"]


def save_model(path: Path, members: list[dict[str, Tensor]], metadata: Mapping[str, Any]) -> None:
    """Writes the state dicts of `members`, one model per trained fold, all of one architecture, and `metadata`.

    `metadata` must be that of src/formats/metadata.py, from which `load_model` rebuilds the members.
    """
    write_tensors(path, {str(number): member for number, member in enumerate(members)}, metadata)


def is_model(path: Path) -> bool:
    """Whether the safetensors file `path` was written by this project; raises UserError if it is no such file."""
    try:
        with safe_open(path, framework="pt") as file:
            return "about" in (file.metadata() or {})
    except (OSError, SafetensorError):
        raise UserError(f"{path} is not a whole safetensors file; get it again") from None


def load_model(path: Path) -> tuple[FoldEnsemble, Metadata]:
    """The models in `path`, rebuilt from the file alone, in eval mode, and its checked metadata.

    Their weights are float32; a file may hold them as float16, which takes half the space.

    Raises UserError if it is damaged or not one of this project's models; FileNotFoundError if there is none.
    """
    groups, metadata = read_model(path)
    members = {number: _in_full(member) for number, member in groups.items()}
    with blaming(path):
        arguments = check_saved(metadata["variant"], metadata["arguments"], "metadata")
        _check_weights(members, metadata["variant"], arguments)
    models = [build(metadata["variant"], arguments) for _ in members]
    for number, model in enumerate(models):
        model.load_state_dict(members[str(number)])
    return FoldEnsemble(models).eval(), metadata


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
