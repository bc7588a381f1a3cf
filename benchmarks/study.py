"""All variants at full width on real photos, in ten minutes of a GPU: python -m benchmarks.study PHOTOS --out FOLDER

The pipeline itself, in a copy of the project: `source: local`, `budget: gpu`, `loss: combined_edge`. In further copies
`efficientnet_unet` starts from the starter and, with --encoder, from ImageNet's weights. FOLDER/study.json and study.md
are written anew every two seconds; study.zip (metrics, curves, report) and gallery.zip at the end. It ends by itself in
time, and the same command again goes on. It needs neither git nor a network.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks import machine
from benchmarks.network import FULL
from src.files import replacing
from src.formats.curves import CURVES, TRAINING
from src.formats.epochs import EPOCHS, read_epochs
from src.formats.metadata import STARTERS
from src.formats.metrics import METRICS

NEEDED = (".dvcignore", "dvc.yaml", "params.yaml", "src", "stages", "tools", "models/starters")
ENCODER_VARIANT, ENCODER = "efficientnet_unet", "tf_efficientnet_lite0"
STARTER = STARTERS / f"{ENCODER_VARIANT}.safetensors"
GOOD = 0.95  # val Dice
END = 30.0  # seconds to stop in
COPIES, LOG = Path(".cache/study"), "log.txt"
JOBS = 4  # variants side by side, of which one has the GPU


class Copy(NamedTuple):
    """A copy of the project, what its models start from, and the variants that it trains."""

    root: Path
    start: str
    variants: list[str]


def main() -> None:
    options = command_line()
    end = time.monotonic() + options.minutes * 60
    variants = yaml.safe_load(Path("params.yaml").read_text())["variants"]
    copies = [Copy(COPIES / "random", "models/starters/none", variants)]
    starts = {"starter": STARTER} | ({"imagenet": options.encoder.resolve()} if options.encoder else {})
    copies += [Copy(COPIES / name, str(path), [ENCODER_VARIANT]) for name, path in starts.items()]
    options.out.mkdir(parents=True, exist_ok=True)
    prepare(copies, options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = [begin(copy.root, "tools.jobs", str(min(JOBS, len(copy.variants)))) for copy in copies]
    about = facts()
    try:
        while any(process.poll() is None for process in running) and time.monotonic() < end - END:
            write(results(copies), about, options.out)
            time.sleep(2)
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)  # to one that has ended, nothing
        statuses = [process.wait() for process in running]
        write(results(copies), about, options.out)
        archive(copies, options.out / "study.zip", (f"{METRICS}/*", f"{TRAINING}/*/{CURVES}/**/*", "report/*"))
        archive(copies, options.out / "gallery.zip", ("report/gallery/*",))
        print((options.out / "study.md").read_text())
    if any(statuses):
        sys.exit(f"not all is done; {copies[0].root / LOG} and those beside it say why; the same command again goes on")


def command_line() -> Namespace:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder or zip in the competition's layout")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the results")
    parser.add_argument("--epochs", type=int, default=40, help="of each model; the same in a command that goes on")
    parser.add_argument("--minutes", type=float, default=9.0, help="that all may take together")
    parser.add_argument("--encoder", type=Path, help=f"a .safetensors file of timm's {ENCODER}")
    parser.add_argument("--miniature", action="store_true", help="tiny models and photos, to try this on a CPU")
    options = parser.parse_args()
    for path in (options.photos, options.encoder):
        if path and not path.exists():
            parser.error(f"there is no {path}")
    return options


def prepare(copies: list[Copy], options: Namespace) -> None:
    """Makes the copies; the photos are prepared once, in the first."""
    first, *others = copies
    fill(first, options)
    if begin(first.root, "dvc", "repro", "split").wait():
        sys.exit(f"the photos could not be prepared; {first.root / LOG} says why")
    for copy in others:
        if not (copy.root / "dvc.lock").exists():
            shutil.copytree(first.root, copy.root, symlinks=True, dirs_exist_ok=True)
        fill(copy, options)


def fill(copy: Copy, options: Namespace) -> None:
    """Brings `copy` up to date with the code here, and writes its params."""
    for name in NEEDED:
        (copy.root / name).parent.mkdir(parents=True, exist_ok=True)
        if Path(name).is_dir():
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(name, copy.root / name, ignore=leave, dirs_exist_ok=True)
        else:
            shutil.copy(name, copy.root / name)
    (copy.root / ".dvc").mkdir(exist_ok=True)
    (copy.root / ".dvc/config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["local"]["path"] = str(options.photos.resolve())
    params |= {"source": "local", "budget": FULL, "loss": "combined_edge", "ensembles": {}, "start": copy.start}
    params |= {"variants": copy.variants, "release": copy.variants[0]}
    full = params[FULL]
    full["train"] |= {"epochs": options.epochs, "patience": 0, "warmup_epochs": min(3.0, options.epochs / 10)}
    full["models"][ENCODER_VARIANT]["encoder_weights"] = None  # which would be downloaded
    if options.miniature:
        params |= {"image_size": 64, "postprocess": params["postprocess"] | {"threshold": 0.5}}
        full["train"] |= {"batch_size": 4}
        full["models"] = {name: arguments | {"width": 2} for name, arguments in full["models"].items()}
    if len(copy.variants) == 1:
        full["models"][ENCODER_VARIANT] |= {"width": 8, "encoder": ENCODER, "encoder_lr_factor": 0.3}
    (copy.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def begin(root: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`python -m ARGUMENT...` in the copy at `root`; what it prints goes to the end of LOG there."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (root / LOG).open("a") as log:
        command, variables = [sys.executable, "-m", *arguments], os.environ | {"PATH": path}
        return subprocess.Popen(command, cwd=root, env=variables, stdout=log, stderr=log, text=True)


def results(copies: list[Copy]) -> list[dict[str, Any]]:
    """What is known of each model that has been scored, best first."""
    found = []
    for copy in copies:
        for variant in copy.variants:
            path = copy.root / METRICS / f"{variant}.json"
            if path.exists():
                metrics = json.loads(path.read_text())
                dice = metrics["details"][0]["curves"]["val/dice"]
                seconds = read_epochs(copy.root / ".dvc/cache/checkpoints" / EPOCHS, variant)["seconds"].cumsum()
                good = (second for second, one in zip(seconds, dice, strict=False) if one >= GOOD)
                facts = {"variant": variant, "start": copy.root.name, "epochs": len(dice), "seconds": seconds.max()}
                found.append(facts | {"seconds_to_good": next(good, None), "metrics": metrics})
    return sorted(found, key=lambda one: -one["metrics"]["holdout"]["dice"])


def write(found: list[dict[str, Any]], about: dict[str, str], out: Path) -> None:
    """Replaces study.json and study.md."""
    lines = [
        f"{', '.join(about.values())}\n",
        f"| model | start | parameters | holdout Dice | 95 % interval | val Dice | epochs | seconds | to val {GOOD} |",
        "|---|---|--:|--:|---|--:|--:|--:|--:|",
    ]
    for one in found:
        holdout, cost = one["metrics"]["holdout"], one["metrics"]["details"][0]["cost"]
        good = "" if one["seconds_to_good"] is None else f"{one['seconds_to_good']:.1f}"
        lines.append(
            f"| `{one['variant']}` | {one['start']} | {cost['parameters'] / 1e6:.1f} M | **{holdout['dice']:.4f}** "
            f"| {holdout['dice_low']:.3f} to {holdout['dice_high']:.3f} | {one['metrics']['val']['dice']:.4f} "
            f"| {one['epochs']} | {one['seconds']:.0f} | {good} |"
        )
    for name, text in (("study.json", json.dumps(about | {"models": found}, indent=1)), ("study.md", "\n".join(lines))):
        with replacing(out / name) as partial:
            partial.write_text(f"{text}\n")


def archive(copies: list[Copy], path: Path, patterns: tuple[str, ...]) -> None:
    """Packs the files of all copies that match one of `patterns`."""
    with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for copy in copies:
            for match in sorted(match for pattern in patterns for match in copy.root.glob(pattern) if match.is_file()):
                file.write(match, Path(copy.root.name) / match.relative_to(copy.root))


def facts() -> dict[str, str]:
    """What the figures depend on; the card, its driver and its memory are as nvidia-smi gives them."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    found = shutil.which(query[0]) and subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    python = f"Python {sys.version.split()[0]}"
    return {"date": time.strftime("%Y-%m-%d"), "card": found or "no GPU", "machine": machine(), "python": python}


if __name__ == "__main__":
    main()
