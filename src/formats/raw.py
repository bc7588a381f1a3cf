"""The raw photos: a folder of the layout `train/images`, `train/masks`, `test/images` in, the archive RAW out.

A sample submission, which not every source has, gives the order of the test photos.
RAW is one file, so that nobody puts photos of their own where DVC deletes what it does not know.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tqdm import tqdm

from src.errors import UserError
from src.files import check_file, replacing
from src.formats.tables import read_table

RAW = Path("data/downloaded.zip")
AGAIN = "run dvc repro -f -s download"
LAYOUT = ("train/images", "train/masks", "test/images")
SAMPLE_SUBMISSION = "sample_submission.csv"
EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp"}
File = TypeVar("File", Path, zipfile.Path)


@dataclass(frozen=True)
class RawFolder(Generic[File]):
    """The files of a folder, or of RAW: photo i has the mask `masks[i]`; `tests` stand in the submission's order."""

    photos: list[File]
    masks: list[File]
    tests: list[File]


def write_raw(folder: Path) -> RawFolder[Path]:
    """Writes RAW with the photos under `folder`, and returns them; the same photos give the same bytes.

    Raises UserError for what does not fit the layout, and a link that leads out of `folder`.
    """
    found = list_raw(folder)
    files = [path for paths in vars(found).values() for path in paths]
    for path in files:
        if not path.resolve().is_relative_to(folder.resolve()):  # what is there was not meant to be shared
            raise UserError(f"{path} is a link that leads out of {folder}; put the file itself there")
    with replacing(RAW) as partial, zipfile.ZipFile(partial, "w") as archive:
        for path in tqdm(files, desc=f"write {RAW}", unit="file", disable=None):
            # A ZipInfo of a name alone has a fixed date.
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
    return found


def read_raw() -> RawFolder[zipfile.Path]:
    """What RAW holds; raises UserError if it is damaged."""
    try:
        archive = zipfile.ZipFile(RAW)
        damaged = archive.testzip()
    except OSError:
        raise
    except Exception as error:  # zipfile checks little of what it reads before it uses it
        damaged = str(error)
    if damaged:
        raise UserError(f"{RAW} is damaged ({damaged}); {AGAIN}")
    files = [zipfile.Path(archive, name) for name in archive.namelist()]
    folders = [[file for file in files if file.at.startswith(f"{name}/")] for name in LAYOUT]
    return RawFolder(*folders)


def find_layout(folder: Path) -> Path:
    """`folder`, or the one folder that wraps it, whichever holds the layout; raises UserError if neither does."""
    wrapped = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != "__MACOSX"]
    for root in [folder, *(wrapped if len(wrapped) == 1 else [])]:
        if all((root / name).is_dir() for name in LAYOUT):
            return root
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:6]) or "nothing"
    raise UserError(f"{folder}: expected the folders {', '.join(LAYOUT)}, found {found}; arrange it like that")


def list_raw(root: Path) -> RawFolder[Path]:
    """The paired files under `root`; raises UserError that names the first files that do not fit the layout."""
    photos, masks, tests = (_by_stem(root / name) for name in LAYOUT)
    for ours, others, missing, where in ((photos, masks, "a mask", LAYOUT[1]), (masks, photos, "a photo", LAYOUT[0])):
        if alone := sorted(ours.keys() - others.keys()):
            names = _some([str(ours[stem]) for stem in alone])
            raise UserError(f"{missing} is missing for {names}: add it to {root / where} under the same name")
    stems = sorted(photos)
    return RawFolder([photos[s] for s in stems], [masks[s] for s in stems], _submission_order(root, tests))


def _by_stem(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.startswith("."):
            continue
        check_file(path)
        if path.suffix.lower() not in EXTENSIONS:
            raise UserError(f"{path}: not a PNG, JPEG or WebP file; remove it from {folder}")
        if path.stem in files:
            raise UserError(f"{path} and {files[path.stem].name} have the same name; rename or remove one")
        files[path.stem] = path
    if not files:
        raise UserError(f"{folder} holds no photo; put PNG, JPEG or WebP files there")
    return files


def _submission_order(root: Path, tests: dict[str, Path]) -> list[Path]:
    """The test photos in the order of the sample submission's `id` column where one exists, otherwise by name."""
    by_name = {path.name: path for path in tests.values()}
    sample = root / SAMPLE_SUBMISSION
    if not sample.exists():
        return [by_name[name] for name in sorted(by_name)]
    ids = list(read_table(sample, {"id": str}, "replace it")["id"])
    if sorted(ids) != sorted(by_name):
        differing = _some(sorted(set(ids) ^ set(by_name))) or "repeated ids"
        raise UserError(f"{sample}: its ids are not the files of {root / LAYOUT[2]}; they differ in {differing}")
    return [by_name[name] for name in ids]


def _some(names: list[str], shown: int = 5) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
