"""What is exported: the models of a variant, an ensemble or a file, and all that is known about them."""

import hashlib
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from src.errors import UserError
from src.formats.metadata import MODELS, Metadata, check_metadata, model_path
from src.models import known_variants, model_class
from src.params import Name, read_params
from src.predictor import Predictor
from tools.export.graph import OPSET, PHOTO, PROBABILITY
from tools.find_model import find_model, known_here

EXPORTS = Path("exports")
CLASSES = {0: "person"}  # the one class that has a probability; all else is background


class Subject(NamedTuple):
    """Models that predict together: each of `files` has one, and a share of the mean; the shares sum up to 1.

    `name` is that of the folder in EXPORTS; `metadata` is that of the whole.
    """

    name: str
    files: list[Path]
    predictors: list[Predictor]
    shares: list[Fraction]
    metadata: Metadata


def read_subject(which: str, changes: dict[str, Any]) -> Subject:
    """The variant, ensemble or model file `which`, with `changes` to its metadata; raises UserError if it is none."""
    ensembles, of_all = read_params("ensembles", dict[Name, list]), {}
    if which in ensembles:
        shares = shares_of_variants(ensembles)[which]
        of_all = known_here(which)
        name, parts = which, {model_path(variant): share for variant, share in shares.items()}
    elif which in known_variants():
        name, parts = which, {model_path(which): Fraction(1)}
    elif which.endswith(".safetensors"):
        if not Path(which).exists():
            raise UserError(f"{which}: there is no such file; give a model file, or the name of a variant")
        name, parts = name_of_file(Path(which)), {Path(which): Fraction(1)}
    else:
        names = ", ".join([*known_variants(), *ensembles])
        raise UserError(f"there is no variant {which!r}; choose from {names}, or give the path of a model file")
    predictors = [find_model(file, "cpu", **changes) for file in parts]
    metadata = check_metadata({**predictors[0].metadata, **of_all, **changes})
    return Subject(name, list(parts), predictors, list(parts.values()), metadata)


def name_of_file(path: Path) -> str:
    """What the export of a model file is called: no two files have the same name, nor one that of a variant."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", path.stem):
        raise UserError(f"{path}: a name of letters, digits, _, . and - is needed for its folder; rename the file")
    if path.parent.resolve() == MODELS.resolve():
        return path.stem
    with path.open("rb") as file:
        return f"{path.stem}-{hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


def shares_of_variants(ensembles: dict[str, list[str]]) -> dict[str, dict[str, Fraction]]:
    """How much each variant counts in each of `ensembles`, whose members may be ensembles that stand before them."""
    result: dict[str, dict[str, Fraction]] = {}
    for name, members in ensembles.items():
        total: dict[str, Fraction] = {}
        for member in members:
            for variant, share in result.get(member, {member: Fraction(1)}).items():
                total[variant] = total.get(variant, Fraction(0)) + share / len(members)
        result[name] = total
    return result


def onnx_facts(subject: Subject) -> dict[str, str]:
    """What the ONNX file says about itself, as its metadata."""
    whole = subject.metadata
    known = {
        "name": subject.name,
        "variant": ", ".join(predictor.metadata["variant"] for predictor in subject.predictors),
        "classes": json.dumps(CLASSES),
        "threshold": whole.get("threshold"),
        "image_size": subject.predictors[0].image_size,
        "mirror": json.dumps(subject.predictors[0].inference.mirror),
        "scale": subject.predictors[0].inference.scale,
        "params_hash": whole.get("params_hash"),
        "photos": whole.get("source"),
        "photos_license": whole.get("license"),
        "opset": OPSET,
        PHOTO: "uint8 RGB, (height, width, 3), upright, any size",
        PROBABILITY: "float32, (height, width), 0 to 1: that the pixel is person",
    }
    return {key: str(value) for key, value in known.items() if value is not None}


def config(subject: Subject) -> dict[str, Any]:
    """What config.json holds."""
    models = [predictor.metadata for predictor in subject.predictors]
    return {
        "architectures": [model_class(metadata["variant"]).__name__ for metadata in models],
        "id2label": CLASSES,
        "models": [{"variant": metadata["variant"], "arguments": metadata["arguments"]} for metadata in models],
        "onnx": onnx_facts(subject),
    }
