"""Named groups of tensors with facts about them in one safetensors file: what models and checkpoints are kept as."""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

Groups = dict[str, dict[str, Tensor]]


def write_tensors(path: Path, groups: Groups, about: dict[str, Any]) -> None:
    """Replaces the file by `groups`, whose names hold no dot, and `about`, which must be JSON.

    A kill at any moment leaves the old file or the new one, whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"{group}.{name}": tensor for group, items in groups.items() for name, tensor in items.items()}
    partial = path.with_suffix(f".{os.getpid()}.partial")  # another process may be writing the same file
    # One metadata key: safetensors writes several in an order that changes from run to run.
    metadata = {"about": json.dumps(about)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata)
    partial.replace(path)


def read_tensors(path: Path) -> tuple[Groups, dict[str, Any]]:
    """The groups, on the CPU, and `about`; raises SafetensorError, KeyError or ValueError if the file is damaged."""
    groups: Groups = defaultdict(dict)
    with safe_open(path, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - it is no dict
            group, name = key.split(".", 1)
            groups[group][name] = file.get_tensor(key)
        return groups, json.loads((file.metadata() or {})["about"])
