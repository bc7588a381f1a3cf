"""dvc.lock: with which files and params each stage last ran. params.yaml may have been changed since."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from src.errors import UserError

LOCK = Path("dvc.lock")
Stages = dict[str, dict[str, Any]]


def read_stages() -> Stages:
    """The stages in dvc.lock, by name; none if there is no such file. Raises UserError if it cannot be read."""
    try:
        return yaml.safe_load(LOCK.read_text())["stages"] if LOCK.exists() else {}
    except (KeyError, TypeError, ValueError, yaml.YAMLError):
        raise UserError(f"{LOCK} cannot be read; if a merge left its marks there: git checkout --ours {LOCK}") from None


def hashes(stage: dict[str, Any]) -> dict[str, str]:
    """The hashes of what a stage read and wrote, by path."""
    return {file["path"]: file.get("md5", "") for file in [*stage["deps"], *stage["outs"]]}


def md5_of(path: Path) -> str:
    """The hash of a file, as DVC writes it."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
