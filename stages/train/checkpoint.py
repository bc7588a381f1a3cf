"""Where an interrupted training goes on: its state after a finished epoch, in one file, written atomically.

The file lives beside DVC's cache, outside every out, since DVC removes a stage's outs when it starts it again; there it
is also found by experiments that run in a copy of the workspace. Its name is a hash of all that defines the run, so
that the checkpoint of another run is never picked up.
"""

import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from dvc.repo import Repo
from torch import Tensor
from torch.optim import Optimizer

from src.errors import UserError
from src.formats.tensors import Groups, read_tensors, write_tensors


def checkpoint_folder() -> Path:
    """The folder of all checkpoints of this project, shared by its workspace and its experiments."""
    with Repo() as repo:
        return Path(repo.cache.local_cache_dir) / "checkpoints"


def hash_of(facts: dict[str, Any]) -> str:
    """A hash of `facts`, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def hash_of_files(paths: Iterable[Path]) -> str:
    """A hash of the bytes of the files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def loaded_code() -> list[Path]:
    """The files of this project's code that this process has imported, in alphabetical order."""
    root = Path.cwd().resolve()
    ours = [module for name, module in sys.modules.items() if name.split(".")[0] in ("__main__", "src", "stages")]
    code = {Path(file).resolve() for module in ours if (file := getattr(module, "__file__", None))}
    return sorted(path for path in code if path.is_relative_to(root / "src") or path.is_relative_to(root / "stages"))


class Checkpoint:
    """The file in `folder` that holds the state of the run `key`, due again `interval` seconds after the last save.

    The state is that between two epochs: tensors in groups, and facts that JSON can hold. The interval is there since a
    full-width state has several hundred megabytes, and writing them takes as long as an epoch on a GPU.
    """

    def __init__(self, folder: Path, key: str, interval: float = 0.0) -> None:
        self.path = folder / f"{key}.safetensors"
        self.interval, self.last = interval, time.monotonic()

    def is_due(self) -> bool:
        """Whether the interval is over since the last checkpoint, or since the start."""
        return time.monotonic() - self.last >= self.interval

    def save(self, groups: Groups, facts: dict[str, Any]) -> None:
        """Replaces the file: a kill at any moment leaves the old one or the new one, whole."""
        write_tensors(self.path, groups, facts)
        self.last = time.monotonic()

    def load(self) -> tuple[Groups, dict[str, Any]] | None:
        """What was saved, on the CPU, or None if there is nothing; a damaged file is reported and counts as nothing."""
        if not self.path.exists():
            return None
        try:
            return read_tensors(self.path)
        except UserError as error:
            print(f"warning: {self.path} is damaged ({error}); training starts from the beginning", file=sys.stderr)
            return None


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by "parameter's number.name"."""
    states = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, state in states.items() for name, value in state.items()}


def load_optimizer_tensors(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Puts back what `optimizer_tensors` gave.

    Each tensor gets its parameter's memory format, such as channels_last, as it had when the optimizer made it: the
    fused update relies on that.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    states: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        like = parameters[int(number)] if tensor.ndim else tensor
        states[int(number)][name] = torch.empty_like(like, requires_grad=False).copy_(tensor)
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
