"""Kaggle's own client: signed in, with time limits, and with a few attempts for what may pass."""

import contextlib
import io
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from src.errors import NO_ROOM, UserError
from src.sources.archive import check_room
from src.sources.kaggle import errors

PAUSES = (5.0, 20.0, 60.0)  # seconds before the second, third and last attempt
LONGEST_PAUSE = 120.0  # seconds; when Kaggle asks for a longer one, it is the user who waits
T = TypeVar("T")


def call_kaggle(call: Callable[[Any], T], todo: dict[int, str]) -> T:
    """What `call(api)` returns, `api` being the client, signed in; a fault that may pass is tried again a few times.

    Raises UserError that says what to do if it stays, for an HTTP status as `todo` has it; OSError if the disk is full.
    """
    api: Any = None
    for number, pause in enumerate((*PAUSES, math.inf), start=1):
        try:
            with _careful():
                api = api or _sign_in()
                return call(api)
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise
            wrong = errors.fault(error)
            wait = max(pause, wrong.pause)
            if wait > LONGEST_PAUSE or not wrong.may_pass:
                raise UserError(errors.advice(wrong, todo, number)) from None
            print(f"{wrong.said}; trying again in {wait:g} s", file=sys.stderr)
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def save(api: Any, response: requests.Response, path: Path, client: Any = None, resume: bool = True) -> None:
    """Writes the file that `response` brings to `path`, or the rest of it; raises NoRoomError before if it cannot fit.

    A bar is for a terminal alone. The client's own retries are off: they ask for the same address again, while
    `call_kaggle` asks Kaggle for a fresh one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    arrived = path.stat().st_size if path.exists() else 0
    check_room(path.parent, int(response.headers.get("Content-Length", 0)) - arrived, f"{path}: the download")
    quiet = not sys.stderr.isatty()
    options: dict[str, Any] = {"max_retries": 0, "timeout": errors.TIMEOUT[1]}
    try:
        type(api).download_file(api, response, str(path), client, quiet, resume, **options)
    except requests.RequestException:
        raise
    except ValueError:
        path.unlink(missing_ok=True)  # its size is not the announced one, so something else is in it
        raise


@contextlib.contextmanager
def _careful() -> Iterator[None]:
    """Inside, no request waits for ever or is repeated behind our back, and the client's own messages are dropped.

    The client sets no timeout for most requests, and prints what went wrong with addresses and headers in it.
    """
    send = HTTPAdapter.send

    def bounded_send(self: HTTPAdapter, *arguments: Any, **options: Any) -> requests.Response:
        self.max_retries = Retry(0, read=False)
        options["timeout"] = options.get("timeout") or errors.TIMEOUT
        return send(self, *arguments, **options)

    HTTPAdapter.send = bounded_send  # type: ignore[method-assign]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        HTTPAdapter.send = send  # type: ignore[method-assign]


def _sign_in() -> Any:
    """The client with whatever credentials it finds; raises UserError if there are none that work."""
    for name in ("VERBOSE", "VERBOSE_OUTPUT"):
        os.environ.pop(name, None)  # the client would print every request, credentials included
    from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415  importing it already signs in

    api = KaggleApi()
    try:
        api.authenticate()
    except SystemExit:  # also for a token that Kaggle turns down
        raise UserError(
            f"no Kaggle credentials that are valid: {errors.SIGN_IN}, then run the same command again"
        ) from None
    return api
