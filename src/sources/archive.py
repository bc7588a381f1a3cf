"""Unpacking a zip that someone else made."""

import shutil
import zipfile
from pathlib import Path

from tqdm import tqdm

from src.errors import UserError, no_room
from src.files import check_file


class NoRoomError(UserError):
    """The disk is too small: nothing is wrong with the archive."""


def check_room(folder: Path, size: int, what: str) -> None:
    """Raises NoRoomError if `size` more bytes do not fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise NoRoomError(
            f"{what} takes {size / 1e9:.2f} GB, but {free / 1e9:.2f} GB are free in {folder}; "
            "make room and run the same command again"
        )


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks the zip `archive` into `folder`, and returns `folder`.

    Raises NoRoomError, before anything is written, if the contents do not fit, and UserError for what is not a complete
    zip or damaged, half of which is then in `folder`. zipfile itself makes no links, writes nothing outside `folder`,
    and stops a member that grows beyond its declared size.
    """
    folder.mkdir(parents=True)
    check_file(archive)
    try:
        with zipfile.ZipFile(archive) as contents:
            members = contents.infolist()
            check_room(folder, sum(member.file_size for member in members), f"{archive}: unpacked it")
            for member in tqdm(members, desc=f"unpack {archive.name}", unit="file", disable=None):
                contents.extract(member, folder)
    except Exception as error:  # zipfile checks little of what it reads before it uses it
        if isinstance(error, UserError) or no_room(error):
            raise
        said = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise UserError(f"{archive}: not a complete zip file ({said}); get it again") from None
    return folder
