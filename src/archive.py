"""Unpacking a zip that someone else made: nothing is written before all of it has been checked."""

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from src.stage import UserError


def unpack(archive: Path, folder: Path) -> Path:
    """Unpacks the zip `archive` into `folder`, and returns `folder`.

    Raises UserError, before anything is written, for a file that is not a zip, a member that would land outside the
    folder or is a link, and contents larger than the free disk; and for a damaged member while unpacking.
    """
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as contents:
            members = [member for member in contents.infolist() if not member.is_dir()]
            _check(archive, members, shutil.disk_usage(folder).free)
            for member in tqdm(members, desc=f"unpack {archive.name}", unit="file"):
                contents.extract(member, folder)
    except zipfile.BadZipFile as error:
        raise UserError(f"{archive}: not a complete zip file ({error}); get it again") from None
    return folder


def _check(archive: Path, members: list[zipfile.ZipInfo], free: int) -> None:
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        kind = stat.S_IFMT(member.external_attr >> 16)
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or kind not in (0, stat.S_IFREG):
            raise UserError(f"{archive}: refused, its member {member.filename!r} would leave the folder or is a link")
    size = sum(member.file_size for member in members)
    if size > free:
        raise UserError(f"{archive}: unpacks to {size / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free; make room")
