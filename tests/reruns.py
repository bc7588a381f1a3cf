"""What reruns when, found out by running it: python -m tests.reruns writes the table of docs/reruns.md.

Each change is made in a copy of the same finished project, on tiny data with two variants, and the real dvc says which
stages it ran.
"""

import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import yaml

from src.formats.raw import RAW
from tests.conftest import ROOT, VARIANTS, Project, copy_project, photo_and_mask, set_params, write_raw

PAGE = ROOT / "docs/reruns.md"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
TRAIN = {
    "cpu.train.epochs": 1,
    "cpu.train.panel_every": 0,
    # Enough in one epoch for masks that are neither empty nor all of a photo, which would hide what has changed.
    "gpu.train.learning_rate": 0.02,
    "gpu.train.warmup_epochs": 0.5,
    "gpu.train.ema_decay": 0.5,
}
PHOTOS = "photos"  # the folder of one's own photos, beside the project


@dataclass
class Change:
    """A row of the table: what is changed, how, and whether in the project that takes its photos from a folder."""

    name: str
    make: Callable[[Project], None]
    local: bool = False


def param(key: str, value: object, name: str = "") -> Change:
    """Another value in params.yaml."""
    return Change(name or f"`{key}`", lambda project: set_params(project.root, {key: value}))


def comment(file: str) -> Change:
    """A comment at the end of a file: new bytes that do the same."""

    def make(project: Project) -> None:
        with (project.root / file).open("a") as text:
            text.write("/* */\n" if file.endswith(".css") else "# a comment\n")

    return Change(f"a comment in `{file}`", make)


def photos(name: str, edit: Callable[[Path], object]) -> Change:
    """An edit in the folder of one's own photos."""
    return Change(name, lambda project: edit(project.root.parent / PHOTOS), local=True)


def mirror(path: Path) -> None:
    """Mirrors a photo."""
    cv2.imwrite(str(path), cv2.flip(cv2.imread(str(path)), 1))


def add_photo(folder: Path) -> None:
    """A training photo that is no copy of another."""
    for kind, picture in zip(("images", "masks"), photo_and_mask(48, seed=99), strict=True):
        cv2.imwrite(str(folder / f"train/{kind}/99.png"), picture)


def same_photos(project: Project) -> None:
    """The photos that are there, from a folder."""
    with zipfile.ZipFile(project.root / RAW) as archive:
        archive.extractall(project.root.parent / "same")
    set_params(project.root, {"source": "local", "local.path": "../same"})


CHANGES = [
    param("source", "local"),
    param("budget", "gpu"),
    param("variants", [*VARIANTS, "unet_paper"], "`variants`, one more"),
    param("ensembles", {"team": ["unet", "unet", "residual_unet"]}),
    param("release", "unet"),
    param("loss", "bce"),
    param("losses.combined.smooth", 2.0, "`losses`, another one"),
    param("seed", 43),
    param("image_size", 48),
    param("max_megapixels", 99),
    param("traits.small_coverage", 0.1),
    param("split.seed", 8),
    param("augment.flip_p", 0.1),
    param("compute.deterministic", False),
    param("predict.mirror", False),
    param("postprocess.threshold", 0.4),
    param("submission.columns", ["id", "rle"]),
    param("models.unet.dropout", 0.3),
    param("cpu.train.learning_rate", 0.01),
    param("gpu.train.epochs", 9, "the budget not in use"),
    Change("`source`, with the same photos", same_photos),
    photos("a training photo of your own, edited", lambda folder: mirror(folder / "train/images/0.png")),
    photos("a training photo of your own, added", add_photo),
    photos("a test photo of your own, edited", lambda folder: mirror(folder / "test/images/24.png")),
    comment("src/models/unet.py"),
    comment("src/losses/bce_dice.py"),
    comment("src/postprocess.py"),
    comment("src/formats/prepared.py"),
    comment("src/page/page.css"),
    comment("stages/train/trainer.py"),
    comment("stages/evaluate/threshold.py"),
    comment("stages/report/leaderboard.py"),
    comment("README.md"),
]


class Matrix:
    """A finished project, another one that takes its photos from a folder, and what runs after a change to a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        photos = write_raw(folder / "drawn" / PHOTOS, labelled=24)
        project = copy_project(folder / "drawn/project", VARIANTS)
        team = ["unet", "residual_unet", "residual_unet"]
        set_params(project.root, TRAIN | {"local.path": f"../{photos.name}", "ensembles": {"team": team}})
        project.repro()
        shutil.copytree(folder / "drawn", folder / "local")
        local = Project(folder / "local/project")
        local.set(source="local")
        local.repro()

    def rerun(self, change: Change) -> str:
        """The stages that run after `change`, as the table has them."""
        work = Path(shutil.copytree(self.folder / ("local" if change.local else "drawn"), self.folder / "work"))
        project = Project(work / "project")
        change.make(project)
        stages = project.repro()
        shutil.rmtree(work)
        return ", ".join(filter(None, (mark(stage, stages) for stage in STAGES))) or "nothing"


def mark(stage: str, ran: list[str]) -> str:
    """`stage` if it ran, with a star if it did so for one variant and not for every one."""
    count = sum(name.split("@")[0] == stage for name in ran)
    return f"{stage}*" if count == 1 and "matrix" in STAGES[stage] else stage if count else ""


def committed() -> dict[str, str]:
    """What runs again by what is changed, as docs/reruns.md has it."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    return {name: stages for names, stages in rows[2:] for name in names.split("; ")}


def write(found: dict[str, str]) -> None:
    """Puts the table of what was `found` into docs/reruns.md: changes with the same stages in one row."""
    rows = (
        f"| {'; '.join(n for n in found if found[n] == stages)} | {stages} |\n"
        for stages in dict.fromkeys(found.values())
    )
    PAGE.write_text(
        re.sub(r"(?m)(^\|.*\n)+", f"| you change | what runs again |\n|---|---|\n{''.join(rows)}", PAGE.read_text())
    )


def main() -> None:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        table = Matrix(Path(folder))
        for change in CHANGES:
            found[change.name] = table.rerun(change)
            print(change.name, found[change.name], sep=": ", flush=True)
    write(found)


if __name__ == "__main__":
    main()
