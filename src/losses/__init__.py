"""The losses, one module each, found by name: the loss `bce_dice` is the function of that name in its module."""

import importlib
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from src.errors import UserError
from src.params import check_value, signature_schema

Loss = Callable[[Tensor, Tensor], Tensor]


def known_losses() -> list[str]:
    """The names that `loss` may take, in alphabetical order."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "terms"))


def build_loss(name: str, arguments: object) -> Loss:
    """The loss `name` with the `arguments` of `losses.NAME`: (logits, target) -> scalar, computed in float32.

    Logits are (N, 1, H, W); the target has the same shape, values from 0 to 1. Raises UserError for an unknown name,
    a file without the function, and arguments that are not the function's own.
    """
    if name not in known_losses():
        raise UserError(f"params.yaml: loss: there is no {name!r}; choose one of {', '.join(known_losses())}")
    function = getattr(importlib.import_module(f"src.losses.{name}"), name, None)
    if function is None:
        raise UserError(f"src/losses/{name}.py: the function {name} is missing; add it")
    schema = signature_schema(function, skip=("logits", "target"))
    checked = check_value(f"losses.{name}", arguments, schema).model_dump()
    return lambda logits, target: function(logits.float(), target.float(), **checked)
