"""One process per GPU: it holds a lock file, which the system lets go of when the process ends, however it ends.

Only processes of the same user on the same machine see it; among several, a scheduler such as SLURM shares GPUs out.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from src.errors import UserError
from src.files import read_holder

TAKEN: dict[str, FileLock] = {}  # by GPU, what this process holds until it ends
LOOK_AGAIN = 1.0  # seconds


def take_gpu(gpus: Sequence[str]) -> int:
    """The place in `gpus`, names that all processes know them by, of one that is now this process's until it ends.

    If all are taken, says by whom and waits for the first that is let go. A process that asks again is given the one
    that it has.
    """
    for place, gpu in enumerate(gpus):
        if gpu in TAKEN:
            return place
    folder = own_folder(Path(tempfile.gettempdir(), f"person-segmentation-{os.getuid()}"))
    locks = [FileLock(folder / f"{gpu}.lock") for gpu in gpus]
    told = False
    while True:
        for place, lock in enumerate(locks):
            with suppress(Timeout):
                lock.acquire(blocking=False)
                TAKEN[gpus[place]] = lock
                Path(lock.lock_file).write_text(f"{' '.join(sys.argv)} (process {os.getpid()})")
                return place
        if not told:
            holders = (f"{place} is in use by {read_holder(Path(lock.lock_file))}" for place, lock in enumerate(locks))
            print(f"waiting for a GPU: {', '.join(holders)}", file=sys.stderr)
            told = True
        time.sleep(LOOK_AGAIN)


def own_folder(folder: Path) -> Path:
    """`folder`, made if it is missing, which this user alone can read and write.

    Raises UserError if it is somebody else's or a link: in a folder for all, another user can prepare either, and in it
    links to files of this user's.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or not folder.is_dir() or folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} is a link, a file or another user's; remove it, or set TMPDIR to a folder of yours")
    folder.chmod(0o700)
    return folder
