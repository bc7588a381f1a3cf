"""export MODEL [--no-mirror]: the model as ONNX, with its weights and a model card, in exports/MODEL.

MODEL is a variant, an ensemble, or the path of a model file.
"""

import argparse
import json

import numpy as np
import onnxruntime

from src.errors import run_main
from src.files import check_inside, replacing
from src.formats.metadata import read_model
from src.formats.tensors import write_tensors
from src.release.card import card
from tools.export.graph import OPSET, PHOTO, ExportModel, write_onnx
from tools.export.subject import EXPORTS, Subject, config, onnx_facts, read_subject

ONNX = "model.onnx"
# The pipeline keeps probabilities as bytes, which the graph does not, and OpenCV rounds a photo's pixels its own way.
TOLERANCE = 0.05


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a variant, an ensemble, or the path of a model file")
    parser.add_argument("--no-mirror", action="store_true", help="leave out the mirror image: half the time")
    options = parser.parse_args(arguments)
    subject = read_subject(options.model, {"mirror": False} if options.no_mirror else {})
    folder = EXPORTS / subject.name
    check_inside(folder, EXPORTS)
    graph = ExportModel(subject.predictors, subject.shares)
    write_onnx(graph, folder / ONNX, onnx_facts(subject))
    difference = compare(subject)
    files = {ONNX: f"the whole way from a photo to its probability map, as an ONNX graph (opset {OPSET})"}
    for file, predictor in zip(subject.files, subject.predictors, strict=True):
        name = "model.safetensors" if len(subject.files) == 1 else file.name
        write_tensors(folder / name, read_model(file)[0], predictor.metadata)
        files[name] = "the weights, with all that a mask needs and what made them as metadata"
    files["config.json"] = "architecture, sizes and threshold"
    parameters = sum(tensor.numel() for tensor in graph.parameters())
    parts = list(zip([predictor.metadata for predictor in subject.predictors], subject.shares, strict=True))
    texts = {"README.md": card(subject.name, subject.metadata, parts, parameters, files, opset=OPSET)}
    texts["config.json"] = json.dumps(config(subject), indent=2) + "\n"
    for name, text in texts.items():
        with replacing(folder / name) as partial:
            partial.write_text(text)
    print(
        f"{folder / ONNX}: {(folder / ONNX).stat().st_size / 1e6:.1f} MB, opset {OPSET}, probabilities within "
        f"{difference:.4f} of the pipeline's\n{folder}/README.md says how to use it"
    )


def compare(subject: Subject) -> float:
    """The largest difference between the probabilities of the ONNX file and those of the pipeline, on a photo of noise.

    Raises RuntimeError if it is more than rounding.
    """
    path = EXPORTS / subject.name / ONNX
    photo = np.random.default_rng(0).integers(0, 256, (241, 322, 3), dtype=np.uint8)
    (found,) = onnxruntime.InferenceSession(path).run(None, {PHOTO: photo})
    maps = [predictor.probabilities(photo) for predictor in subject.predictors]
    difference = float(np.abs(found - np.average(maps, axis=0, weights=[float(s) for s in subject.shares])).max())
    if difference > TOLERANCE:
        path.unlink()
        raise RuntimeError(f"the ONNX file's probabilities differ from the pipeline's by {difference:.3f}")
    return difference


if __name__ == "__main__":
    run_main(main)
