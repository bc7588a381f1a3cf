"""Where photos come from: one package per source, each with its `Params` and `fetch(params, scratch) -> Path`.

`fetch` returns a folder or a zip in the competition's layout. What it has to write goes under `scratch`, a temporary
folder on the project's disk.
"""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from src.errors import UserError


def known_sources() -> list[str]:
    """The names that `source` may take, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.ispkg)


def find(name: str) -> ModuleType:
    """The module that supplies the photos of the source `name`; raises UserError for an unknown or unfinished one."""
    if name not in known_sources():
        raise UserError(f"params.yaml: source: there is no {name!r}; choose one of {', '.join(known_sources())}")
    module = importlib.import_module(f"src.sources.{name}")
    for needed in ("Params", "fetch"):
        if not hasattr(module, needed):
            raise UserError(f"src/sources/{name}/__init__.py: {needed} is missing; add it")
    return module
