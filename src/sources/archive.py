"""Unpacking a zip that someone else made: nothing is written before all of its table of contents has been checked."""

import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from src.errors import UserError, no_room
from src.files import check_file

BLOCK = 4096  # even an empty file takes one
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LONGEST_NAME = 255  # bytes; what file systems take
MOST_MEMBERS = 1_000_000
# What zipfile raises for a file that is damaged: it checks little of what it reads before it uses it.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


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

    Raises UserError, before anything is written, for a file that is not a complete zip and a member that would land
    outside the folder, on another member, or as a link; NoRoomError if the contents do not fit; and UserError for a
    damaged member, whose half is then in `folder`. No member can grow beyond its declared size: zipfile stops there.
    """
    folder.mkdir(parents=True)
    check_file(archive)
    try:
        with room_needed(folder), zipfile.ZipFile(archive) as contents:
            _check_names(archive, contents.infolist())
            members = [m for m in contents.infolist() if not m.is_dir() and skip.isdisjoint(m.filename.split("/")[:-1])]
            size = sum(-(-member.file_size // BLOCK) * BLOCK or BLOCK for member in members)
            check_room(folder, size, f"{archive}: unpacked it")
            for member in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None):
                contents.extract(member, folder)
    except NoRoomError:
        raise
    except DAMAGED as error:
        raise UserError(f"{archive}: not a complete zip file ({' '.join(str(error).split())}); get it again") from None
    except OSError as error:
        if error.filename:  # of what is written; reading at an offset that the file does not have gives none
            raise
        raise UserError(f"{archive}: not a complete zip file ({error.strerror}); get it again") from None
    return folder


def _check_names(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises UserError that names the first member that could do harm, or that could not be unpacked as it stands."""
    if len(members) > MOST_MEMBERS:
        raise UserError(f"{archive}: refused, it holds {len(members)} files")
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        if problem := _problem(member):
            raise UserError(f"{archive}: refused, its member {member.filename!r} {problem}")
        # Names that differ in case alone are one file on macOS and Windows.
        name = PurePosixPath(member.filename.casefold())
        folders.update(str(parent) for parent in name.parents)
        if not member.filename.endswith("/"):
            if str(name) in files:
                raise UserError(f"{archive}: refused, it holds {member.filename!r} twice")
            files.add(str(name))
    if both := files & folders:
        raise UserError(f"{archive}: refused, it holds {min(both)!r} both as a file and as a folder")


def _problem(member: zipfile.ZipInfo) -> str:
    """What is wrong with a member, as the rest of a sentence; empty if nothing is."""
    name = PurePosixPath(member.filename)
    problems = {
        "has no name": not name.name,
        "has a name that cannot be printed": not member.filename.isprintable(),
        "has too long a name": any(len(part.encode()) > LONGEST_NAME for part in name.parts),
        "would leave the folder": (
            name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in member.filename
        ),
        "is a link or a device": stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR),
        "is encrypted": bool(member.flag_bits & 1),
        "is compressed in a way that is not read here; zip it again": member.compress_type not in READABLE,
    }
    return next((problem for problem, applies in problems.items() if applies), "")
