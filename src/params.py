"""Reading params.yaml: each stage checks the keys that it declares against a schema.

Every stage depends on this file, so a change here reruns all of them: keep it tiny.
"""

import inspect
import reprlib
from collections.abc import Callable
from functools import cache, reduce
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from ruamel.yaml import YAML

from src.errors import UserError

PARAMS = Path("params.yaml")
T = TypeVar("T")


def _odd_or_zero(value: int) -> int:
    if value and value % 2 == 0:
        raise ValueError("must be an odd number, or 0 for off")
    return value


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]  # of a variant, loss, source ...: also that of a file
Share = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
ImageSize = Annotated[int, Field(ge=32, le=4096)]
FilterSize = Annotated[int, Field(ge=0, le=255), AfterValidator(_odd_or_zero)]


class Section(BaseModel):
    """Base of a section of params.yaml: no unknown key, no missing key, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def read_params(key: str, schema: type[T]) -> T:
    """The value of params.yaml at the dotted `key` ("": all of it), checked against `schema`; raises UserError."""
    if not PARAMS.is_file():
        raise UserError(f"{PARAMS} is missing here; run from the project's root folder")
    try:
        value = reduce(lambda node, name: node[name], key.split(".") if key else [], _parse(PARAMS.read_bytes()))
    except (KeyError, TypeError):
        raise UserError(f"{PARAMS}: the key {key} is missing; add it") from None
    return check_value(key, value, schema)


@cache
def _parse(text: bytes) -> Any:
    try:
        params = YAML(typ="safe", pure=True).load(text.decode())  # refuses a key that stands twice
    except Exception as error:  # the parser's own, and what Python's int, date and codecs say of a value
        mark = getattr(error, "problem_mark", None)
        said = f"line {mark.line + 1}: {error.problem}" if mark else " ".join(str(error).split())  # type: ignore[attr-defined]
        raise UserError(f"{PARAMS} is not valid YAML: {said}") from None
    if params is None:
        raise UserError(f"{PARAMS} is empty; git checkout {PARAMS} brings it back")
    return params


def check_value(key: str, value: object, schema: type[T], where: object = PARAMS) -> T:
    """`value` as a `schema`; raises UserError that names `where` it stands, its `key`, and what was expected."""
    try:
        return TypeAdapter(schema).validate_python(value, strict=True)
    except ValidationError as error:
        problems = []
        for e in error.errors():
            place = ".".join([*([key] if key else []), *(str(part) for part in e["loc"])])
            known = sorted(getattr(schema, "model_fields", {}))
            hint = f"; the keys here are {', '.join(known)}" if e["type"] == "extra_forbidden" and known else ""
            got = "" if e["type"] in ("extra_forbidden", "missing") else f", got {reprlib.repr(e['input'])}"
            said = e["msg"].removeprefix("Value error, ")
            problems.append(f"{place}{': ' if place else ''}{said[0].lower()}{said[1:]}{got}{hint}")
        raise UserError(f"{where}: {'; '.join(problems)}") from None


def signature_schema(function: Callable[..., Any], skip: tuple[str, ...] = ("self",)) -> type[Section]:
    """A Section with one field per parameter of `function`, or of a class's constructor, to check its keys with.

    A parameter without an annotation takes any value.
    """
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if name not in skip:
            kind = Any if parameter.annotation is parameter.empty else parameter.annotation
            fields[name] = (kind, ... if parameter.default is parameter.empty else parameter.default)
    return create_model(function.__name__, __base__=Section, **fields)
