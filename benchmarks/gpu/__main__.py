"""The project on a GPU, proved by one command: python -m benchmarks.gpu --out FOLDER --minutes 9

Runs its parts in order of worth: `exact`, `loop`, `pipeline`, `minutes`, `sync`, `predict`. Each has its share of the
minutes and writes FOLDER/PART.json row by row, so that a run that is cut off keeps what it has. A table of everything
is printed at the end, and at FOLDER/table.txt. Without a GPU everything is tried in miniature.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import psutil

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # to look for a GPU without touching it: see runner.py

from benchmarks.gpu import exact, loop, minutes, pipeline, predict, sync
from benchmarks.gpu.report import tables
from benchmarks.gpu.runner import Options, Part, run_parts, working_context

PARTS = {
    "exact": Part(exact.run, 0.22),
    "loop": Part(loop.run, 0.24),
    "pipeline": Part(pipeline.run, 0.2),
    "minutes": Part(minutes.run, 0.2),
    "sync": Part(sync.run, 0.1),
    "predict": Part(predict.run, 0.04),
}


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, end)
    options.out.mkdir(parents=True, exist_ok=True)
    context = working_context(options.out)
    has_gpu = json.loads((options.out / "machine.json").read_text())["card"] != "none"
    settings = Options(options.miniature or not has_gpu, options.photos, options.encoder_weights, options.loss)
    parts = {name: part for name, part in PARTS.items() if name in options.parts}
    seconds = options.minutes * 60 - (time.time() - psutil.Process().create_time())
    try:
        run_parts(context, parts, options.out, seconds, settings)
    finally:
        text = tables(options.out, list(PARTS))
        (options.out / "table.txt").write_text(text + "\n")
        print(f"\n{text}", flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder for what is found out")
    parser.add_argument("--minutes", type=float, default=9.0, help="that all may take together")
    parser.add_argument("--parts", type=some_parts, default=list(PARTS), help="only these, such as exact,loop")
    parser.add_argument("--photos", type=Path, help="a folder in the competition's layout; if not given, drawn photos")
    parser.add_argument("--encoder-weights", type=Path, help="a .safetensors file of timm's tf_efficientnet_lite0")
    parser.add_argument("--loss", help="to train with in `minutes`, if not that of params.yaml")
    parser.add_argument("--miniature", action="store_true", help="tiny models and photos, also on a GPU")
    options = parser.parse_args()
    for path in (options.photos, options.encoder_weights):
        if path and not path.exists():
            parser.error(f"there is no {path}")
    return options


def some_parts(text: str) -> list[str]:
    """The names in `text`; argparse reports the error."""
    names = text.split(",")
    if unknown := set(names) - PARTS.keys():
        raise argparse.ArgumentTypeError(f"there is no {min(unknown)}; choose from {', '.join(PARTS)}")
    return names


def end(number: int, frame: FrameType | None) -> None:
    """When the command is told to end, it ends its part and prints the table first."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
