"""export VARIANT [--no-mirror] [--int8]: the model as ONNX, with a model card, in exports/VARIANT.

VARIANT is a variant, an ensemble, or the path of a model file.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import onnxruntime

from src.errors import run_main
from src.files import replacing
from src.formats.prepared import LABELLED, read_photos
from src.formats.split import part_indices, read_split
from tools.export.card import card, config, facts
from tools.export.graph import OPSET, PHOTO, WholeWay, write_onnx
from tools.export.int8 import write_int8
from tools.export.subject import Subject, read_subject

EXPORTS = Path("exports")
ONNX, INT8 = "model.onnx", "model-int8.onnx"
# The pipeline keeps probabilities as bytes, which the graph does not, and OpenCV rounds a photo's pixels its own way.
TOLERANCE = 0.05


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export", description=__doc__.splitlines()[0])
    parser.add_argument("variant", help="a variant, an ensemble, or the path of a model file")
    parser.add_argument("--no-mirror", action="store_true", help="leave out the mirror image: half the time")
    parser.add_argument("--int8", action="store_true", help=f"write {INT8} too; needs the photos in data/prepared")
    options = parser.parse_args(arguments)
    subject = read_subject(options.variant, mirror=False if options.no_mirror else None)
    folder = EXPORTS / subject.name
    write_onnx(
        WholeWay(subject.models, subject.shares, subject.image_size, subject.prediction), folder / ONNX, facts(subject)
    )
    difference = compare(folder / ONNX, subject)
    graphs = [ONNX, INT8] if options.int8 else [ONNX]
    if options.int8:
        agreement = write_small(folder)
    else:
        (folder / INT8).unlink(missing_ok=True)  # of another model
    several = len(subject.files) > 1
    weights = {file.name if several else "model.safetensors": file for file in subject.files}
    for name, file in weights.items():
        with replacing(folder / name) as partial:
            shutil.copyfile(file, partial)
    for name, text in {"config.json": config(subject), "README.md": card(subject, graphs, list(weights))}.items():
        with replacing(folder / name) as partial:
            partial.write_text(text)
    print(
        f"{folder / ONNX}: {megabytes(folder / ONNX)}, opset {OPSET}, mirror "
        f"{'on' if subject.prediction.mirror else 'off'}, probabilities within {difference:.4f} of the pipeline's"
    )
    if options.int8:
        print(f"{folder / INT8}: {megabytes(folder / INT8)}, Dice of its masks with those of {ONNX}: {agreement:.4f}")
    print(f"{folder}/README.md says how to use it")


def megabytes(path: Path) -> str:
    """The size of the file, for people."""
    return f"{path.stat().st_size / 1e6:.1f} MB"


def write_small(folder: Path) -> float:
    """Writes INT8 beside ONNX in `folder`; returns the mean Dice of the two's masks on photos that it was not made on.

    The photos are those of data/prepared: train photos to see how large numbers get, val photos to compare.
    """
    photos = read_photos(LABELLED)
    split = read_split(len(photos))
    write_int8(folder / ONNX, folder / INT8, photos[part_indices(split, "train")])
    sessions = [onnxruntime.InferenceSession(folder / name) for name in (ONNX, INT8)]
    scores = []
    for photo in photos[part_indices(split, "val")]:
        one, other = (session.run(None, {PHOTO: photo})[0] >= 0.5 for session in sessions)
        scores.append((2 * (one & other).sum() + 1) / (one.sum() + other.sum() + 1))
    return float(np.mean(scores))


def compare(path: Path, subject: Subject) -> float:
    """The largest difference between the probabilities of the ONNX file and those of the pipeline, on a photo of noise.

    Raises RuntimeError if it is more than rounding.
    """
    photo = np.random.default_rng(0).integers(0, 256, (241, 322, 3), dtype=np.uint8)
    (found,) = onnxruntime.InferenceSession(path).run(None, {PHOTO: photo})
    difference = float(np.abs(found - subject.pipeline(photo)).max())
    if difference > TOLERANCE:
        path.unlink()
        raise RuntimeError(f"the ONNX file's probabilities differ from the pipeline's by {difference:.3f}")
    return difference


if __name__ == "__main__":
    run_main(main)
