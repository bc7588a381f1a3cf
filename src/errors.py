"""Mistakes of the user's, and how a program ends: in one line for those, in a traceback for ours.

Every stage depends on this file, so a change here reruns all of them: keep it tiny.
"""

import atexit
import ctypes
import errno
import inspect
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

MADE = ("data", "metrics", "models", "plots", "release", "report", "submissions")  # what stages write to
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Libraries tell of a full disk in words of their own: shutil, safetensors, numpy, tempfile, SQLite.
NO_ROOM_WORDS = re.compile(
    r"\[Errno (28|27|122)\]|(code:|os error) (28|27|122)\b|\d+ requested and \d+ written|No usable temporary directory"
    r"|database or disk is full|disk I/O error"
)
FINISHED: list[Callable[..., None]] = []  # what `run_main` has run to its end
LONGEST = 3000  # characters of an error


class UserError(Exception):
    """A mistake of the user's, not of ours: one line that names the file or key and says what to do next."""


def run_main(main: Callable[..., None]) -> None:
    """Runs a stage's main with the command line's arguments, as the last thing that the process does."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # for names that it cannot encode
    try:
        inspect.signature(main).bind(*sys.argv[1:])
    except TypeError as error:
        names = " ".join(name.upper() for name in inspect.signature(main).parameters)
        raise UserError(f"{error}; it takes {names or 'no argument'}") from None
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt as error:
        sys.exit(explain(error))  # with status 1; Python itself would end by the signal
    sys.stdout.flush()
    FINISHED.append(main)


@atexit.register
def _end_at_once() -> None:
    """Ends a process that has done its work, after its threads and all exit handlers that are registered later.

    Python would first take every object apart: a second where torch and kornia are loaded. (`gc.freeze()` saves most of
    it too, but makes triton print a page about what it leaks.)
    """
    if FINISHED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def explain(error: BaseException) -> str:
    """The line for what the user or the machine is to blame for; empty for a fault of ours.

    That is a UserError, a full disk, a file that may not be read or written, and a missing one that an earlier stage
    should have made.
    """
    message = ""
    if isinstance(error, UserError):
        message = str(error)
    elif isinstance(error, KeyboardInterrupt):
        message = "interrupted; start the same command again"
    elif no_room(error):
        names = [link.filename for link in _chain(error) if isinstance(link, OSError) and link.filename]
        message = (
            f"no room left on the disk{f' for {names[0]}' if names else ''}; make room and run the same command again"
        )
    elif isinstance(error, FileNotFoundError):
        missing = error.filename or str(error).rsplit(": ", 1)[-1]  # safetensors gives no file name
        if Path(missing).parts[:1] in [(folder,) for folder in MADE]:
            message = f"{missing} is missing; dvc repro makes it, dvc pull fetches it"
    elif isinstance(error, OSError) and error.errno and error.filename:
        message = f"{error.filename}: {os.strerror(error.errno).lower()}; mend that and run the same command again"
    # What could steer a terminal, such as an escape code in a file's name, is spelled out.
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in message)
    return f"error: {plain if len(plain) < LONGEST else plain[:LONGEST] + ' ...'}" if plain else ""


def _end_in_a_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python calls for an error that nobody caught."""
    if isinstance(error, BrokenPipeError):  # what reads our output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is still in the buffer
    elif message := explain(error):
        print(message, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end_in_a_line


def end_with_parent() -> None:
    """Makes the system kill this process when its parent ends: a stage whose dvc was killed must not work on beside
    the one that is started next.

    Linux alone offers it (prctl(2), PR_SET_PDEATHSIG); elsewhere nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def no_room(error: BaseException) -> bool:
    """Whether a full disk is behind `error`."""
    return any(
        (isinstance(link, OSError) and link.errno in NO_ROOM) or NO_ROOM_WORDS.search(str(link))
        for link in _chain(error)
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
