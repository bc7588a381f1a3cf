"""Files: ours are written whole or not at all, one process at a time; of other people's, only real ones are taken."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from src.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` once everything is written and on the disk.

    A kill, a full disk or an error at any moment leaves the old file or the new one, whole. What a process that was
    killed had begun is removed by the next one that writes `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.touch()
        mode = partial.stat().st_mode  # for whom the umask says; safetensors writes files for their owner alone
        yield partial
        partial.chmod(mode)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Removes what processes that are gone have left of `path`."""
    start, end = f".{path.name}.", ".partial"
    for left in path.parent.iterdir():
        number = left.name.removeprefix(start).removesuffix(end)
        alive = number.isdecimal() and psutil.pid_exists(int(number))
        if left.name == f"{start}{number}{end}" and not alive:
            left.unlink(missing_ok=True)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Within it, no other process of this machine holds the lock file `path`.

    If one does, this waits for it, and says for which process, which does `what`. The lock of a process that was
    killed is free.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"waiting for process {read_holder(path)}, which {what}", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        path.write_text(str(os.getpid()))
        yield
    finally:
        path.unlink(missing_ok=True)  # before the release: whoever waits sees that it has gone, and makes a new one
        lock.release()


def read_holder(path: Path) -> str:
    """What the process that holds the lock file `path` wrote into it; it may just have begun or ended."""
    with suppress(OSError):
        return path.read_text(errors="replace").strip() or "unknown"
    return "unknown"


def check_file(path: Path) -> None:
    """Raises UserError if `path` is no regular file or has a name that cannot be printed; FileNotFoundError if it is
    missing.

    Opening anything else may never end: a device gives bytes for ever, and a pipe waits for someone to write to it.
    """
    if not path.name.isprintable():
        raise UserError(f"{str(path)!r}: the name holds a control character or is not UTF-8; rename the file")
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} is a link to nothing; replace it")
    path.stat()
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe or a device"
        raise UserError(f"{path} is {kind}, not a file; replace it, or name another")
