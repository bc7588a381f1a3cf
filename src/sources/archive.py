"""Unpacking a zip that someone else made."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from src.errors import UserError, no_room
from src.files import check_file
from src.formats.raw import DAMAGED_ZIP

BLOCK = 4096  # even an empty file takes one
MAX_MEMBERS = 1_000_000


class NoRoomError(UserError):
    """The disk is too small or full: nothing is wrong with the archive."""


@contextmanager
def room_needed(folder: Path) -> Iterator[None]:
    """Whatever fills the disk inside becomes one line, a NoRoomError that names `folder`."""
    try:
        yield
    except OSError as error:
        if not no_room(error):
            raise
        raise NoRoomError(f"{folder}: no room left on the disk; make room and run the same command again") from None


def check_room(folder: Path, size: int, what: str) -> None:
    """Raises NoRoomError if `size` more bytes do not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise NoRoomError(
            f"{what} takes {size / 1e9:.2f} GB, but {free / 1e9:.2f} GB are free in {folder}; "
            "make room and run the same command again"
        )


def unpack(archive: Path, folder: Path, skip: frozenset[str] = frozenset()) -> Path:
    """Unpacks the zip `archive` into `folder`, and returns `folder`; what lies in a folder named in `skip` stays out.

    Raises UserError, before anything is written, for a member whose name leads out of the folder; NoRoomError if the
    contents do not fit; and UserError for what is not a complete zip or damaged, half of which is then in `folder`.
    zipfile itself makes no links, and stops a member that grows beyond its declared size.
    """
    folder.mkdir(parents=True)
    check_file(archive)
    try:
        with room_needed(folder), zipfile.ZipFile(archive) as contents:
            members = [m for m in contents.infolist() if not m.is_dir() and skip.isdisjoint(m.filename.split("/")[:-1])]
            _check_names(archive, [member.filename for member in members])
            size = sum(-(-member.file_size // BLOCK) * BLOCK or BLOCK for member in members)
            check_room(folder, size, f"{archive}: unpacked it")
            for member in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None):
                contents.extract(member, folder)
    except UserError:
        raise
    except (*DAMAGED_ZIP, OSError) as error:
        said = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise UserError(f"{archive}: not a complete zip file ({said}); get it again") from None
    return folder


def _check_names(archive: Path, names: list[str]) -> None:
    if len(names) > MAX_MEMBERS:
        raise UserError(f"{archive}: refused, it holds {len(names)} files")
    for name in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise UserError(f"{archive}: refused, its member {name!r} would leave the folder")
