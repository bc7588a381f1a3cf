"""export VARIANT [--no-mirror]: the model as ONNX, with a model card, in exports/VARIANT; needs nothing of the project.

VARIANT is a variant, an ensemble, or the path of a model file.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import onnxruntime

from src import stage
from src.files import replacing
from tools.export.card import card, config, facts
from tools.export.graph import OPSET, PHOTO, WholeWay, write_onnx
from tools.export.subject import Subject, read_subject

EXPORTS = Path("exports")
ONNX = "model.onnx"
# The pipeline keeps probabilities as bytes, which the graph does not, and OpenCV rounds a photo's pixels its own way.
TOLERANCE = 0.05


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.export", description=__doc__.splitlines()[0])
    parser.add_argument("variant", help="a variant, an ensemble, or the path of a model file")
    parser.add_argument("--no-mirror", action="store_true", help="leave out the mirror image: half the time")
    options = parser.parse_args(arguments)
    subject = read_subject(options.variant, mirror=False if options.no_mirror else None)
    folder = EXPORTS / subject.name
    write_onnx(WholeWay(subject.models, subject.image_size, subject.prediction), folder / ONNX, facts(subject))
    difference = compare(folder / ONNX, subject)
    weights = {"model.safetensors": subject.files[0]}
    if len(subject.files) > 1:
        weights = {file.name: file for file in subject.files}
    for name, file in weights.items():
        with replacing(folder / name) as partial:
            shutil.copyfile(file, partial)
    for name, text in {"config.json": config(subject), "README.md": card(subject, ONNX, list(weights))}.items():
        with replacing(folder / name) as partial:
            partial.write_text(text)
    megabytes = (folder / ONNX).stat().st_size / 1e6
    print(
        f"{folder / ONNX}: {megabytes:.1f} MB, opset {OPSET}, mirror {'on' if subject.prediction.mirror else 'off'}, "
        f"probabilities within {difference:.4f} of the pipeline's; {folder}/README.md says how to use it"
    )


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
    stage.run(main)
