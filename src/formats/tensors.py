"""Named groups of tensors with facts about them in one safetensors file: what models and checkpoints are kept as."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from src.errors import UserError
from src.files import check_file, replacing

Groups = dict[str, dict[str, Tensor]]


def write_tensors(path: Path, groups: Groups, metadata: Mapping[str, Any]) -> None:
    """Replaces the file by `groups`, whose names hold no dot, and `metadata`, which is JSON, with a digest of both."""
    tensors = {
        f"{group}.{name}": tensor.cpu().contiguous()
        for group, items in groups.items()
        for name, tensor in items.items()
    }
    # One metadata key: safetensors writes several in an order that changes from run to run.
    header = {"about": json.dumps({"sha256": _digest(tensors, metadata), **metadata})}
    with replacing(path) as partial:
        save_file(tensors, partial, header)


def read_tensors(path: Path) -> tuple[Groups, dict[str, Any]]:
    """The groups, on the CPU, and `metadata`; raises UserError, how one can tell, if that is not what was written."""
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {})["about"])
            written = metadata.pop("sha256")
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
            if _digest(tensors, metadata) != written:
                raise UserError("its contents are not those of its checksum")
            groups: Groups = defaultdict(dict)
            for key, tensor in tensors.items():
                group, name = key.split(".", 1)
                groups[group][name] = tensor
            return groups, metadata
    except (SafetensorError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise UserError("cut short, damaged, or not written by this version of the project") from error


def _digest(tensors: dict[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """SHA-256 of names, types, shapes and bytes of `tensors` and of `metadata`."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
