"""Where photos come from: one package per profile, each with its params `Data` and `fetch(data, scratch) -> Path`.

`fetch` returns a folder or a zip in the competition's layout. What it has to write goes under `scratch`, a temporary
folder on the project's disk.
"""

import importlib
import pkgutil
import shutil
from pathlib import Path
from types import ModuleType

from src.archive import room_needed, unpack
from src.raw import LAYOUT, SAMPLE_SUBMISSION, TEST_MASKS, find_layout, list_raw
from src.stage import UserError


def known_sources() -> list[str]:
    """The names that `profile` may take, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))


def source(profile: str) -> ModuleType:
    """The module that supplies the photos of `profile`; raises UserError for an unknown one."""
    if profile not in known_sources():
        raise UserError(f"params.yaml: profile: there is no {profile!r}; choose one of {', '.join(known_sources())}")
    return importlib.import_module(f"src.sources.{profile}")


def place(origin: Path, raw: Path, scratch: Path) -> None:
    """Puts the photos of `origin`, a folder or zip in the competition's layout, into `raw`: checked, and whole.

    Files under `scratch` are moved, others copied. Raises UserError that names what does not fit the layout, or that
    the disk is full; `raw` is then as it was.
    """
    root = find_layout(origin if origin.is_dir() else unpack(origin, scratch / "unpacked"))
    list_raw(root)
    whole = scratch / "whole"
    transfer = shutil.move if root.is_relative_to(scratch) else shutil.copytree
    with room_needed(raw.parent):
        for part in (*LAYOUT, TEST_MASKS):
            if (root / part).is_dir():
                (whole / part).parent.mkdir(parents=True, exist_ok=True)
                transfer(root / part, whole / part)
        if (root / SAMPLE_SUBMISSION).exists():
            shutil.copy(root / SAMPLE_SUBMISSION, whole)
    if raw.exists():
        shutil.rmtree(raw)
    whole.rename(raw)
