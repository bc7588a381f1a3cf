"""The raw folder's layout: `train/images`, `train/masks`, `test/images`, and two things that not every source has.

These are the sample submission, which gives the order of the test photos, and `test/masks`, their true masks. Beside
data/raw lies data/raw.sha256, by which the download stage knows its own files (and `sha256sum --check` in data/raw).
"""

from dataclasses import dataclass
from pathlib import Path

from src.errors import UserError
from src.files import check_file
from src.formats.tables import read_table

RAW = Path("data/raw")
LAYOUT = ("train/images", "train/masks", "test/images")
TEST_MASKS = "test/masks"
SAMPLE_SUBMISSION = "sample_submission.csv"
CHECKSUMS = Path("data/raw.sha256")  # which files the download stage put into RAW, and with what in them
EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp"}


@dataclass(frozen=True)
class RawFolder:
    """The files of a raw folder: photo i has the mask `masks[i]`; `tests` stand in the submission's order.

    `test_masks` are those that the source has, by name.
    """

    photos: list[Path]
    masks: list[Path]
    tests: list[Path]
    test_masks: list[Path]


def find_layout(folder: Path) -> Path:
    """`folder`, or the one folder that wraps it, whichever holds the layout; raises UserError if neither does."""
    wrapped = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name != "__MACOSX"]
    for root in [folder, *(wrapped if len(wrapped) == 1 else [])]:
        if all((root / part).is_dir() for part in LAYOUT):
            return root
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:6]) or "nothing"
    raise UserError(f"{folder}: expected the folders {', '.join(LAYOUT)}, found {found}; arrange it like that")


def list_raw(root: Path) -> RawFolder:
    """The paired files under `root`; raises UserError that names the first files that do not fit the layout."""
    photos, masks, tests = (_by_stem(root / part) for part in LAYOUT)
    for missing, what, where in (
        (photos.keys() - masks.keys(), "without a mask", LAYOUT[1]),
        (masks.keys() - photos.keys(), "without a photo", LAYOUT[0]),
    ):
        if missing:
            origin = photos if where == LAYOUT[1] else masks
            names = _some([str(origin[stem]) for stem in sorted(missing)])
            raise UserError(f"{what[8:]} is missing for {names}: add it to {root / where} under the same name")
    if repeated := photos.keys() & tests.keys():
        raise UserError(f"{tests[min(repeated)]}: also in {LAYOUT[0]}; a test photo must not be a training photo")
    stems = sorted(photos)
    known = _by_stem(root / TEST_MASKS) if (root / TEST_MASKS).is_dir() else {}
    return RawFolder(
        [photos[s] for s in stems],
        [masks[s] for s in stems],
        _submission_order(root, tests),
        [known[s] for s in sorted(known)],
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is missing; the raw folder needs {', '.join(LAYOUT)}")
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


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
