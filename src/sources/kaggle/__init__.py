"""Photos from Kaggle: the competition's, or the public dataset they were taken from.

In a kernel of Kaggle's they are read where it mounts them. Elsewhere, what has arrived is kept in .cache/kaggle,
outside the stage's outs, until it is unpacked and fits: a download that broke off goes on from there.
"""

import hashlib
import math
import os
import re
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from src.errors import UserError
from src.files import locked
from src.formats.raw import LAYOUT, find_layout, list_raw
from src.params import Section, Seed
from src.sources.archive import NoRoomError, unpack
from src.sources.kaggle.client import call_kaggle, save


class Params(Section):
    """The block `kaggle` of params.yaml; it always has all keys, so that `-S kaggle.kind=dataset` works."""

    kind: Literal["competition", "dataset"]
    competition: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+(/[0-9]+)?$")]
    test_share: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed

    @property
    def slug(self) -> str:
        """The name of what is downloaded, as it stands in its address on Kaggle."""
        return self.competition if self.kind == "competition" else self.dataset

    @property
    def page(self) -> str:
        """Where a person agrees to the conditions of using it."""
        return f"kaggle.com/{self.kind}s/{self.slug}{'/rules' if self.kind == 'competition' else ''}"

    @property
    def todo(self) -> dict[int, str]:
        """What to do if Kaggle does not give it, by the HTTP status."""
        does = "join the competition and accept its rules" if self.kind == "competition" else "agree to its conditions"
        missing = f"correct params.yaml: kaggle.{self.kind}: there is no {self.slug!r}"
        return {403: f"{does} at {self.page}", 404: missing}


def fetch(params: Params, scratch: Path) -> Path:
    """A folder in the competition's layout, under `scratch` or where Kaggle mounts it; raises UserError that says what
    to do if there is none.
    """
    if mount := mounted(params):
        return arrange(params, mount, mount, scratch)
    with locked(cache_folder() / "download.lock", "downloads photos from Kaggle"):  # experiments side by side share it
        archive = download(params)
        root = arrange(params, archive, unpack_or_remove(archive, scratch / "unpacked"), scratch)
        shutil.rmtree(archive.parent)
        return root


def arrange(params: Params, origin: Path, folder: Path, scratch: Path) -> Path:
    """The photos in `folder`, which came from `origin`, in the competition's layout; raises UserError for others."""
    try:
        root = find_layout(folder) if params.kind == "competition" else set_aside(folder, scratch / "divided", params)
        list_raw(root)
    except UserError as error:
        # What it says to do is meant for a folder of the user's own.
        problem = re.sub(rf"{re.escape(str(scratch))}/\w+/?", "", re.split("; |: add it", str(error))[0])
        raise UserError(
            f"what Kaggle holds under {params.slug} has changed: {problem}; unpack {origin} yourself, arrange it as "
            "docs/own-photos.md says, and use it with source: local"
        ) from None
    return root


def mounted(params: Params) -> Path | None:
    """Where a kernel of Kaggle's finds what `params` name, in the new or the old place; None on other machines.

    Raises UserError if it is not among the kernel's inputs.
    """
    root, name = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input")), "/".join(params.slug.split("/")[:2])
    for place in (root / f"{params.kind}s" / name, root / name.split("/")[-1]):
        if place.is_dir():
            return place
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        raise UserError(f"{params.slug} is not among the inputs of this kernel: {params.todo[403]}, and add it")
    return None


def unpack_or_remove(archive: Path, folder: Path) -> Path:
    """The contents of `archive` in `folder`; an archive that is damaged is removed, so that it is downloaded afresh."""
    try:
        return unpack(archive, folder)
    except NoRoomError:
        raise
    except UserError as error:
        archive.unlink()
        raise UserError(f"{error}; it is removed, so run the same command again to download it afresh") from None


def set_aside(unpacked: Path, divided: Path, params: Params) -> Path:
    """The dataset in `unpacked` as `divided`, in the competition's layout: a seeded part of it are the test photos.

    Which these are depends on names and seed alone. Files are moved if both are in one folder, and else copied. Raises
    UserError if there are no folders `images` and `masks` side by side, with the same names in them.
    """
    homes = [path.parent for path in unpacked.rglob("images/") if (path.parent / "masks").is_dir()]
    if not homes:
        found = ", ".join(sorted(path.name for path in unpacked.rglob("*") if path.is_dir())[:6]) or "no folder"
        raise UserError(f"expected the folders images and masks, found {found}")
    home = min(homes, key=lambda path: (len(path.parts), path))
    stems, masks = ({path.stem for path in (home / kind).iterdir()} for kind in ("images", "masks"))
    if stems != masks:
        raise UserError(f"{min(stems ^ masks)} is not both in images and in masks")
    shuffled = sorted(stems, key=lambda stem: hashlib.sha256(f"{params.seed} {stem}".encode()).digest())
    hidden = set(shuffled[: math.ceil(params.test_share * len(stems))])
    for part in LAYOUT:
        (divided / part).mkdir(parents=True)
    transfer = Path.rename if unpacked.parent == divided.parent else shutil.copyfile
    for kind in ("images", "masks"):
        for path in (home / kind).iterdir():
            part = "test" if path.stem in hidden else "train"
            if f"{part}/{kind}" in LAYOUT:  # the masks of test photos are left behind
                transfer(path, divided / part / kind / path.name)
    return divided


def cache_folder() -> Path:
    """.cache/kaggle of the project; a run that DVC makes in a copy of the workspace uses that of the workspace."""
    here = Path.cwd()
    copies = [path for path in here.parents if path.parts[-3:] == (".dvc", "tmp", "exps")]
    return Path(os.path.relpath(copies[0].parents[2] if copies else here)) / ".cache" / "kaggle"


def download(params: Params) -> Path:
    """The complete zip that `params` name, in the cache; raises UserError if it cannot be had, or the disk is full."""
    archive = cache_folder() / params.kind / params.slug / f"{params.slug.split('/')[:2][-1]}.zip"
    archive.parent.mkdir(parents=True, exist_ok=True)

    def attempt(api: Any) -> None:
        api.download_file = lambda response, outfile, client, quiet, resume: save(
            api, response, Path(outfile), client, resume
        )
        request = api.competition_download_files if params.kind == "competition" else api.dataset_download_files
        request(params.slug, path=str(archive.parent), quiet=False)

    call_kaggle(attempt, params.todo)
    if not archive.exists():
        raise UserError(f"Kaggle did not send a zip file for {params.slug}; look at {params.page}")
    return archive
