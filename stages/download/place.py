"""Puts what a source fetched into data/raw, whole or not at all, and never in place of someone else's files."""

import hashlib
import shutil
from pathlib import Path

from tqdm import tqdm

from src.errors import UserError
from src.files import check_inside, replacing
from src.formats.raw import CHECKSUMS, SAMPLE_SUBMISSION, find_layout, list_raw
from src.sources.archive import room_needed, unpack


def place(origin: Path, raw: Path, scratch: Path) -> None:
    """Puts the photos of `origin`, a folder or zip in the competition's layout, into `raw`: checked, and whole.

    Files under `scratch` are moved, others copied. Raises UserError that names what does not fit the layout, or that
    the disk is full; `raw` is then as it was.
    """
    root = find_layout(origin if origin.is_dir() else unpack(origin, scratch / "unpacked"))
    found = list_raw(root)
    files = [*found.photos, *found.masks, *found.tests, *found.test_masks]
    if (root / SAMPLE_SUBMISSION).exists():
        files.append(root / SAMPLE_SUBMISSION)
    for path in files:
        check_inside(path, root)
    whole = scratch / "whole"
    transfer = shutil.move if root.is_relative_to(scratch) else shutil.copyfile
    with room_needed(raw.parent):
        for path in tqdm(files, desc="put in place", unit="file", disable=None):
            target = whole / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            transfer(path, target)
    swap(whole, raw, scratch)


def swap(whole: Path, raw: Path, scratch: Path) -> None:
    """Puts the folder `whole` in the place of `raw`; raises UserError, and changes nothing, if that is not all ours."""
    check_ours(raw)
    if raw.exists():
        raw.rename(scratch / "old")
    with replacing(CHECKSUMS) as partial:  # while there is no folder that these could be wrong about
        partial.write_text(checksums(whole))
    whole.rename(raw)


def checksums(folder: Path) -> str:
    """A line per file in `folder`, in the form of the sha256sum command."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return "".join(f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)


def check_ours(raw: Path) -> None:
    """Raises UserError, with what to do, if `raw` holds a file that this stage did not put there as it is now."""
    ours = set(CHECKSUMS.read_text(errors="replace").splitlines()) if CHECKSUMS.is_file() else set()
    foreign = [line.split("  ", 1)[1] for line in checksums(raw).splitlines() if line not in ours]
    if foreign:
        some = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise UserError(
            f"{raw} would be replaced, but holds files that are not from this stage: {some}. Move them out (mv {raw} "
            "my-photos takes all; source: local and local.path: my-photos use it), or remove them; then run this again"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
