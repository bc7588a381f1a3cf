"""export MODEL [--no-mirror]: the model as ONNX, with its weights and a model card, in exports/MODEL.

MODEL is a variant, an ensemble, or the path of a model file.
"""

import argparse
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from src.errors import run_main
from src.files import replacing
from src.formats.metadata import DEFAULTS, Metadata, model_path, read_model
from src.formats.tensors import write_tensors
from src.models import known_variants, model_class
from src.params import Name, read_params
from src.predictor import Predictor
from src.release.card import card
from tools.export.graph import OPSET, PHOTO, PROBABILITY, ExportModel, write_onnx
from tools.find_model import find_model, known_here

EXPORTS = Path("exports")
ONNX = "model.onnx"
CLASSES = {0: "person"}  # the one class that has a probability; all else is background
# The pipeline keeps probabilities as bytes, which the graph does not, and OpenCV rounds a photo's pixels its own way.
TOLERANCE = 0.05


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a variant, an ensemble, or the path of a model file")
    parser.add_argument("--no-mirror", action="store_true", help="leave out the mirror image: half the time")
    options = parser.parse_args(arguments)
    changes: dict[str, Any] = {"mirror": False} if options.no_mirror else {}
    ensembles = read_params("ensembles", dict[Name, list])
    name, shares = find_parts(options.model, ensembles)
    predictors = {file: find_model(file, "cpu", **changes) for file in shares}
    models = [predictor.metadata for predictor in predictors.values()]
    ours = {**DEFAULTS, "scores": [], **known_here(name)} if name in ensembles else {}  # not those of its first member
    whole: Metadata = {**models[0], **ours, **changes}  # type: ignore[typeddict-item]
    folder = EXPORTS / name
    graph = ExportModel(list(predictors.values()), shares.values())
    facts = onnx_facts(name, whole, list(predictors.values()))
    write_onnx(graph, folder / ONNX, facts)
    difference = compare(folder / ONNX, list(predictors.values()), list(shares.values()))
    files = {ONNX: f"the whole way from a photo to its probability map, as an ONNX graph (opset {OPSET})"}
    for file, predictor in predictors.items():
        weights = "model.safetensors" if len(predictors) == 1 else file.name
        write_tensors(folder / weights, read_model(file)[0], predictor.metadata)
        files[weights] = "the weights, with all that a mask needs and what made them as metadata"
    files["config.json"] = "architecture, sizes and threshold"
    config = {
        "architectures": [model_class(metadata["variant"]).__name__ for metadata in models],
        "id2label": CLASSES,
        "models": [{"variant": metadata["variant"], "arguments": metadata["arguments"]} for metadata in models],
        "onnx": facts,
    }
    parameters = sum(tensor.numel() for tensor in graph.parameters())
    parts = list(zip(models, shares.values(), strict=True))
    texts = {"README.md": card(name, whole, parts, parameters, files, opset=OPSET)}
    texts["config.json"] = json.dumps(config, indent=2) + "\n"
    for file_name, text in texts.items():
        with replacing(folder / file_name) as partial:
            partial.write_text(text)
    print(
        f"{folder / ONNX}: {(folder / ONNX).stat().st_size / 1e6:.1f} MB, opset {OPSET}, probabilities within "
        f"{difference:.4f} of the pipeline's\n{folder}/README.md says how to use it"
    )


def find_parts(which: str, ensembles: dict[str, list[str]]) -> tuple[str, dict[Path, Fraction]]:
    """What the export of the variant, ensemble or file `which` is called, and the share of each of its model files."""
    if which in ensembles or which in known_variants():
        members = ensembles.get(which, [which])
        return which, {model_path(name): Fraction(count, len(members)) for name, count in Counter(members).items()}
    path = Path(which)
    return f"{path.resolve().parent.name}-{path.stem}", {path: Fraction(1)}


def onnx_facts(name: str, metadata: Metadata, predictors: list[Predictor]) -> dict[str, str]:
    """What the ONNX file says about itself, as its metadata."""
    known = {
        "name": name,
        "variant": ", ".join(predictor.metadata["variant"] for predictor in predictors),
        "classes": json.dumps(CLASSES),
        "threshold": metadata.get("threshold"),
        "image_size": predictors[0].image_size,
        "mirror": json.dumps(predictors[0].inference.mirror),
        "scale": predictors[0].inference.scale,
        "params_hash": metadata.get("params_hash"),
        "photos": metadata.get("source"),
        "photos_license": metadata.get("license"),
        "opset": OPSET,
        PHOTO: "uint8 RGB, (height, width, 3), upright, any size",
        PROBABILITY: "float32, (height, width), 0 to 1: that the pixel is person",
    }
    return {key: str(value) for key, value in known.items() if value is not None}


def compare(path: Path, predictors: list[Predictor], shares: list[Fraction]) -> float:
    """The largest difference between the probabilities of the ONNX file and those of the pipeline, on a photo of noise.

    Raises RuntimeError, and removes the file, if it is more than rounding.
    """
    photo = np.random.default_rng(0).integers(0, 256, (241, 322, 3), dtype=np.uint8)
    (found,) = onnxruntime.InferenceSession(path).run(None, {PHOTO: photo})
    maps = [predictor.probabilities(photo) for predictor in predictors]
    difference = float(np.abs(found - np.average(maps, axis=0, weights=[float(share) for share in shares])).max())
    if difference > TOLERANCE:
        path.unlink()
        raise RuntimeError(f"the ONNX file's probabilities differ from the pipeline's by {difference:.3f}")
    return difference


if __name__ == "__main__":
    run_main(main)
