"""What every stage shares: how it reads its params, and how it ends when the user made a mistake.

Every stage depends on this file, so a change here reruns all of them: keep it tiny.
"""

import inspect
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

PARAMS = Path("params.yaml")
MADE = ("data", "metrics", "models", "plots", "report", "submissions")  # what stages write to
T = TypeVar("T")


class UserError(Exception):
    """A mistake of the user's, not of ours: one line that names the file or key and says what to do next."""


class Section(BaseModel):
    """Base of a section of params.yaml: no unknown key, no missing key, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def read_params(key: str, schema: type[T]) -> T:
    """The value of params.yaml at the dotted `key` ("": all of it), checked against `schema`; raises UserError."""
    try:
        params = yaml.safe_load(PARAMS.read_text())
        value = reduce(lambda node, name: node[name], key.split(".") if key else [], params)
    except FileNotFoundError:
        raise UserError(f"{PARAMS} is missing here; run from the project's root folder") from None
    except yaml.YAMLError as error:
        raise UserError(f"{PARAMS} is not valid YAML: {' '.join(str(error).split())}") from None
    except (KeyError, TypeError):
        raise UserError(f"{PARAMS}: the key {key} is missing; add it") from None
    return check(key, value, schema)


def check(key: str, value: object, schema: type[T]) -> T:
    """`value` as a `schema`; raises UserError that names `key`, what is wrong and what was expected."""
    try:
        return TypeAdapter(schema).validate_python(value, strict=True)
    except ValidationError as error:
        problems = []
        for e in error.errors():
            where = ".".join([key, *(str(part) for part in e["loc"])])
            known = sorted(getattr(schema, "model_fields", {}))
            hint = f"; the keys here are {', '.join(known)}" if e["type"] == "extra_forbidden" and known else ""
            got = "" if e["type"] in ("extra_forbidden", "missing") else f", got {e['input']!r}"
            problems.append(f"{where}: {e['msg'][0].lower()}{e['msg'][1:]}{got}{hint}")
        raise UserError(f"{PARAMS}: {'; '.join(problems)}") from None


def signature_schema(function: Callable[..., Any], skip: tuple[str, ...] = ("self",)) -> type[Section]:
    """A Section with one field per parameter of `function`, or of a class's constructor, to check its keys with."""
    fields: dict[str, Any] = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in skip
    }
    return create_model(function.__name__, __base__=Section, **fields)


def run(main: Callable[..., None]) -> None:
    """Runs a stage's main with the command line's arguments.

    A UserError becomes one line and exit status 1, and so does a missing file that an earlier stage should have made.
    """
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"error: {error}")
    except FileNotFoundError as error:
        missing = error.filename or str(error).rsplit(": ", 1)[-1]  # safetensors gives no file name
        if Path(missing).parts[:1] not in [(folder,) for folder in MADE]:
            raise
        sys.exit(f"error: {missing} is missing; dvc repro makes it, dvc pull fetches it")
