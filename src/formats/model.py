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
from src.formats.metadata import Metadata, blaming, read_model
from src.formats.tensors import write_tensors
from src.models import build, check_saved
from src.models.blocks import FoldEnsemble


def save_model(path: Path, members: list[dict[str, Tensor]], metadata: Mapping[str, Any]) -> None:
    """Writes the state dicts of `members`, one model per trained fold, and `metadata`, which must be Metadata."""
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

    Their weights are float32; a file may hold them as float16, which takes half the space. Raises UserError if it is
    damaged or not one of this project's models; FileNotFoundError if there is none.
    """
    groups, metadata = read_model(path)
    members = [groups[str(number)] for number in range(len(groups))]
    for member in members:
        member |= {name: tensor.float() for name, tensor in member.items() if tensor.dtype == torch.float16}
    with blaming(path):
        arguments = check_saved(metadata["variant"], metadata["arguments"], "metadata")
        with torch.device("meta"):  # takes no memory, whatever the file asks for
            wanted = _shapes(build(metadata["variant"], arguments).state_dict())
        if not members or any(_shapes(member) != wanted for member in members):
            raise UserError("its weights are not those of the model that it names")
        if not all(tensor.isfinite().all() for member in members for tensor in member.values()):
            raise UserError("some of its weights are not numbers")
    models = [build(metadata["variant"], arguments) for _ in members]
    for model, member in zip(models, members, strict=True):
        model.load_state_dict(member)
    return FoldEnsemble(models).eval(), metadata


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
