"""Exported models on one core of this CPU: file size, ms per photo and Dice: python -m benchmarks.export [VARIANT ...]

Each holdout photo at its own size, from its pixels to its probability map; Dice is that of the map cut at the
threshold, without the pipeline's clean-up. VARIANT may be a model file; by default all in models and models/starters.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from benchmarks import in_turns, machine
from src.errors import UserError, run_main
from src.formats.metadata import MODELS
from src.formats.prepared import LABELLED, read_photos
from src.formats.raw import read_raw
from src.formats.split import part_indices, read_split
from src.images import read_mask, read_photo
from src.predictor import Predictor
from tools.export.graph import PHOTO, ExportModel, write_onnx
from tools.find_model import find_file, find_model

TURNS = 5


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*")
    variants = parser.parse_args(arguments).variants or found()
    torch.set_num_threads(1)
    prepared = read_photos(LABELLED)
    split = read_split(len(prepared))
    holdout = part_indices(split, "holdout")
    raw = read_raw()
    photos = [read_photo(raw.photos[i]) for i in holdout]
    masks = [read_mask(raw.masks[i]) > 0 for i in holdout]
    print(f"{len(photos)} holdout photos, one core of: {machine()}, onnxruntime {onnxruntime.__version__}\n")
    print("| model | as | MB | ms per photo | Dice |\n|---|---|---|---|---|")
    for variant in variants:
        predictor = find_model(variant, "cpu")
        with tempfile.TemporaryDirectory() as folder:
            ways = exported(variant, predictor, Path(folder))
            works = {"PyTorch": predictor.probabilities} | {name: runner(path) for name, path in ways.items()}
            seconds = in_turns(*(partial(work, photos[0]) for work in works.values()), repeats=TURNS)
            megabytes = [path.stat().st_size / 1e6 for path in (find_file(variant), *ways.values())]
            for (name, work), size, *took in zip(works.items(), megabytes, *seconds, strict=True):
                score = dice([work(photo) for photo in photos], masks, predictor.threshold)
                ms = 1000 * float(np.median(took))
                print(f"| `{variant}` | {name} | {size:.1f} | {ms:.0f} | {score:.4f} |", flush=True)


def exported(variant: str, predictor: Predictor, folder: Path) -> dict[str, Path]:
    """The ONNX files of `predictor`, that of `variant`, by what they are."""
    alone = find_model(variant, "cpu", mirror=False)
    ways = {"ONNX": (predictor, folder / "plain.onnx"), "ONNX, no mirror image": (alone, folder / "single.onnx")}
    for used, path in ways.values():
        write_onnx(ExportModel([used]), path, {})
    return {name: path for name, (_, path) in ways.items()}


def found() -> list[str]:
    """All model files; raises UserError if there is none."""
    files = [str(path) for folder in (MODELS, MODELS / "starters") for path in sorted(folder.glob("*.safetensors"))]
    if not files:
        raise UserError(f"there is no model in {MODELS}; run dvc repro, or dvc pull train")
    return [Path(file).stem if Path(file).parent == MODELS else file for file in files]


def runner(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What makes the ONNX file's map of a photo, on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    return lambda photo: session.run(None, {PHOTO: photo})[0]


def dice(maps: list[np.ndarray], masks: list[np.ndarray], threshold: float) -> float:
    """The mean Dice of the maps, cut at `threshold`, with the true masks."""
    found = [probability >= threshold for probability in maps]
    return float(np.mean([2 * (f & m).sum() / (f.sum() + m.sum()) for f, m in zip(found, masks, strict=True)]))


if __name__ == "__main__":
    run_main(main)
