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
from src.dice import count, dice
from src.errors import run_main
from src.formats.metadata import MODELS, STARTERS
from src.formats.prepared import LABELLED, read_photos
from src.formats.raw import read_raw
from src.formats.split import part_indices, read_split
from src.images import read_mask, read_photo
from tools.export.graph import PHOTO, ExportModel, write_onnx
from tools.find_model import find_file, find_model

TURNS = 5


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", nargs="*")
    found = [str(path) for folder in (MODELS, STARTERS) for path in sorted(folder.glob("*.safetensors"))]
    names = parser.parse_args(arguments).variants or found
    torch.set_num_threads(1)
    holdout = part_indices(read_split(len(read_photos(LABELLED))), "holdout")
    raw = read_raw()
    photos = [read_photo(raw.photos[i]) for i in holdout]
    masks = [read_mask(raw.masks[i]) for i in holdout]
    print(f"{len(photos)} holdout photos, one core of: {machine()}, onnxruntime {onnxruntime.__version__}\n")
    print("| model | as | MB | ms per photo | Dice |\n|---|---|---|---|---|")
    for name in names:
        predictor, single = find_model(name, "cpu"), find_model(name, "cpu", mirror=False)
        with tempfile.TemporaryDirectory() as folder:
            ways: dict[str, tuple[Path, Callable[[np.ndarray], np.ndarray]]]
            ways = {"PyTorch": (find_file(name), predictor.probabilities)}
            for way, exported in (("ONNX", predictor), ("ONNX, no mirror image", single)):
                path = Path(folder, f"{way}.onnx")
                write_onnx(ExportModel([exported]), path, {})
                ways[way] = path, runner(path)
            seconds = in_turns(*(partial(work, photos[0]) for _, work in ways.values()), repeats=TURNS)
            for (way, (path, work)), *took in zip(ways.items(), *seconds, strict=True):
                predicted = [(work(photo) >= predictor.threshold).astype(np.uint8) for photo in photos]
                score = np.mean([dice(count(*pair)) for pair in zip(predicted, masks, strict=True)])
                megabytes, ms = path.stat().st_size / 1e6, 1000 * np.median(took)
                print(f"| `{name}` | {way} | {megabytes:.1f} | {ms:.0f} | {score:.4f} |", flush=True)


def runner(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What makes the ONNX file's map of a photo, on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    return lambda photo: session.run(None, {PHOTO: photo})[0]


if __name__ == "__main__":
    run_main(main)
