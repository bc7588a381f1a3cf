"""One process per GPU: it holds a lock file, which the system lets go of when the process ends, however it ends.

Only processes of the same user on the same machine see it; among several, a scheduler such as SLURM shares GPUs out.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

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
    folder = Path(tempfile.gettempdir(), f"person-segmentation-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    locks = [FileLock(folder / f"{gpu}.lock") for gpu in gpus]
    for attempt in count():
        for place, lock in enumerate(locks):
            with suppress(Timeout):
                lock.acquire(blocking=False)
                TAKEN[gpus[place]] = lock
                Path(lock.lock_file).write_text(f"{' '.join(sys.argv)} (process {os.getpid()})")
                return place
        if attempt == 0:
            holders = (f"{place} is in use by {Path(lock.lock_file).read_text()}" for place, lock in enumerate(locks))
            print(f"waiting for a GPU: {', '.join(holders)}", file=sys.stderr)
        time.sleep(LOOK_AGAIN)
    raise AssertionError  # never
