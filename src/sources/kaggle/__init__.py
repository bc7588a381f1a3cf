"""Photos from Kaggle, through its own client: the competition's, or the public dataset they were taken from.

In a kernel of Kaggle's they are read where it mounts them. Elsewhere, what has arrived is kept in .cache/kaggle,
outside the stage's outs, until it is unpacked and fits: a download that broke off goes on from there.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import re
import shutil
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar

import requests
from pydantic import Field
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError as BrokenOff
from urllib3.util import Retry

from src.errors import NO_ROOM, UserError
from src.formats.raw import LAYOUT, TEST_MASKS, find_layout, list_raw
from src.params import Section, Seed
from src.sources.archive import NoRoomError, check_room, room_needed, unpack

TIMEOUT = (15.0, 60.0)  # seconds to connect, and between two pieces of an answer
PAUSES = (5.0, 20.0, 60.0)  # seconds before the second, third and last attempt
LONGEST_PAUSE = 120.0  # seconds; when Kaggle asks for a longer one, it is the user who waits
NOT_NEEDED = frozenset({"collage", "__MACOSX"})
SIGN_IN = (
    "create an API token at kaggle.com/settings/api and save it as ~/.kaggle/access_token, or in the environment "
    "variable KAGGLE_API_TOKEN"
)
NETWORK = (requests.RequestException, BrokenOff, ConnectionError, TimeoutError)
T = TypeVar("T")


class Params(Section):
    """The block `kaggle` of params.yaml; it always has all keys, so that `-S kaggle.kind=dataset` works."""

    kind: Literal["competition", "dataset"]
    competition: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+(/[0-9]+)?$")]
    test_share: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed

    @property
    def slug(self) -> str:
        """The name of what is downloaded, as it stands in its address on Kaggle."""
        return self.competition if self.kind == "competition" else self.dataset

    @property
    def page(self) -> str:
        """Where a person agrees to the conditions of using it."""
        if self.kind == "competition":
            return f"kaggle.com/competitions/{self.slug}/rules"
        return f"kaggle.com/datasets/{self.slug}"

    @property
    def refused(self) -> str:
        """What to do if Kaggle does not give it to this user."""
        does = "join the competition and accept its rules" if self.kind == "competition" else "agree to its conditions"
        return f"{does} at {self.page}"

    @property
    def missing(self) -> str:
        """What to say and do if Kaggle does not have it."""
        return f"Kaggle has no {self.kind} {self.slug!r} (404): correct params.yaml: kaggle.{self.kind}"


class Resource(Protocol):
    """What a call to Kaggle is about: its name there, and what to say if Kaggle refuses it (403) or has none (404)."""

    @property
    def slug(self) -> str: ...

    @property
    def refused(self) -> str: ...

    @property
    def missing(self) -> str: ...


class UploadCutError(Exception):
    """The client could not hand over the file; it says so in its answer, without a reason."""


def fetch(params: Params, scratch: Path) -> Path:
    """A folder in the competition's layout, under `scratch` or where Kaggle mounts it; raises UserError that says what
    to do if there is none.
    """
    if (mount := mounted(params)).is_dir():
        try:
            return arranged(mount, scratch, params)
        except UserError as error:
            raise UserError(f"what Kaggle mounts for {params.slug} has changed: {error}") from None
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        raise UserError(f"{params.slug} is not among the inputs of this kernel: {params.refused}, and add it")
    archive = download(params)
    try:
        folder = unpack(archive, scratch / "unpacked", NOT_NEEDED)
    except NoRoomError:
        raise
    except UserError as error:
        archive.unlink()
        raise UserError(f"{error}; it is removed, so run the same command again to download it afresh") from None
    try:
        root = arranged(folder, scratch, params)
    except UserError as error:
        # What it says to do is meant for a folder of the user's own.
        problem = re.sub(rf"{re.escape(str(scratch))}/\w+/?", "", re.split("; |: add it", str(error))[0])
        raise UserError(
            f"what Kaggle holds under {params.slug} has changed: {problem}; unpack {archive} yourself, arrange it as "
            "docs/kaggle.md says, and use it with source: local"
        ) from None
    shutil.rmtree(archive.parent)
    return root


def mounted(params: Params) -> Path:
    """Where a kernel of Kaggle's finds what `params` name, in the old or the new place; elsewhere there is nothing."""
    root, name = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input")), "/".join(params.slug.split("/")[:2])
    places = (root / f"{params.kind}s" / name, root / name.split("/")[-1])
    return next((place for place in places if place.is_dir()), places[0])


def arranged(folder: Path, scratch: Path, params: Params) -> Path:
    """The photos in `folder` in the competition's layout; raises UserError for what does not fit."""
    root = find_layout(folder) if params.kind == "competition" else set_aside(folder, scratch / "divided", params)
    list_raw(root)
    return root


def set_aside(unpacked: Path, divided: Path, params: Params) -> Path:
    """The dataset in `unpacked` as `divided`, in the competition's layout: a seeded part of it are the test photos.

    Files are moved if both are in one folder, as after a download, and else copied.

    Their masks go to test/masks. Which photos these are depends on their names and the seed alone. Raises UserError if
    there are no folders `images` and `masks` side by side, with the same names in them.
    """
    homes = [path.parent for path in unpacked.rglob("images/") if (path.parent / "masks").is_dir()]
    if not homes:
        found = ", ".join(sorted(path.name for path in unpacked.rglob("*") if path.is_dir())[:6]) or "no folder"
        raise UserError(f"expected the folders images and masks, found {found}")
    home = min(homes, key=lambda path: (len(path.parts), path))
    stems, masks = ({path.stem for path in (home / kind).iterdir()} for kind in ("images", "masks"))
    if stems != masks:
        raise UserError(f"{min(stems ^ masks)} is not both in images and in masks")
    shuffled = sorted(stems, key=lambda stem: hashlib.sha256(f"{params.seed} {stem}".encode()).digest())
    hidden = set(shuffled[: math.ceil(params.test_share * len(stems))])
    for part in (*LAYOUT, TEST_MASKS):
        (divided / part).mkdir(parents=True)
    transfer = Path.rename if unpacked.parent == divided.parent else shutil.copyfile
    for kind in ("images", "masks"):
        for path in (home / kind).iterdir():
            transfer(path, divided / ("test" if path.stem in hidden else "train") / kind / path.name)
    return divided


def cache_folder() -> Path:
    """.cache/kaggle of the project; a run that DVC makes in a copy of the workspace uses that of the workspace."""
    here = Path.cwd()
    copies = [path for path in here.parents if path.parts[-3:] == (".dvc", "tmp", "exps")]
    return Path(os.path.relpath(copies[0].parents[2] if copies else here)) / ".cache" / "kaggle"


def download(params: Params) -> Path:
    """The complete zip that `params` name, in the cache; raises UserError if it cannot be had, or the disk is full."""
    folder = cache_folder() / params.kind / params.slug
    folder.mkdir(parents=True, exist_ok=True)
    name = params.competition if params.kind == "competition" else params.dataset.split("/")[1]
    archive = folder / f"{name}.zip"  # the client's choice
    with room_needed(folder):
        call_kaggle(lambda api: _request_zip(api, params, archive), params)
    if not archive.exists():
        raise UserError(f"Kaggle did not send a zip file for {params.slug}; look at {params.page}")
    return archive


def _request_zip(api: Any, params: Params, archive: Path) -> None:
    """Downloads `archive`, or the rest of it."""

    def save(response: requests.Response, outfile: str, client: Any, quiet: bool, resume: bool) -> None:
        arrived = archive.stat().st_size if archive.exists() else 0
        check_room(archive.parent, int(response.headers.get("Content-Length", 0)) - arrived, f"{archive}: the download")
        quiet = quiet or not sys.stderr.isatty()  # a bar is for a terminal
        # The client's own retries are off: they ask for the same address again, ours for a fresh one.
        type(api).download_file(api, response, outfile, client, quiet, resume, max_retries=0, timeout=TIMEOUT[1])

    api.download_file = save
    request = api.competition_download_files if params.kind == "competition" else api.dataset_download_files
    try:
        request(params.slug, path=str(archive.parent), quiet=False)
    except requests.RequestException:
        raise
    except ValueError:
        archive.unlink(missing_ok=True)  # its size is not the announced one, so something else is in it
        raise


def call_kaggle(call: Callable[[Any], T], what: Resource) -> T:
    """What `call(api)` returns, `api` being the client, signed in; a fault that may pass is tried again a few times.

    Raises UserError that says what to do if it stays, OSError if the disk is full. No message repeats the client's own
    text about a fault: it can hold an address that works as a password, or a request's headers.
    """
    api: Any = None
    for number, pause in enumerate((*PAUSES, None), start=1):
        try:
            with _careful():
                api = api or _sign_in()
                return call(api)
        except UserError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise
            wait = max(pause or 0, _asked_pause(error))
            if pause is None or wait > LONGEST_PAUSE or not _may_pass(error):
                raise UserError(_advice(error, api, what, number)) from None
            print(f"{_fault(error)}; trying again in {wait:g} s", file=sys.stderr)
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


@contextlib.contextmanager
def _careful() -> Iterator[None]:
    """Inside, no request waits for ever or is repeated behind our back, and the client's own messages are dropped.

    The client sets no timeout for most requests, and prints what went wrong with addresses and headers in it.
    """
    send = HTTPAdapter.send

    def bounded_send(self: HTTPAdapter, *arguments: Any, **options: Any) -> requests.Response:
        self.max_retries = Retry(0, read=False)
        options["timeout"] = options.get("timeout") or TIMEOUT
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
    try:
        from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415  importing it already signs in
    except ImportError as error:
        raise UserError(
            f"Kaggle's client cannot be loaded ({error}); run make check, or install requirements.txt"
        ) from None

    api = KaggleApi()
    try:
        api.authenticate()
    except SystemExit:
        # A token that Kaggle turns down counts as none here.
        raise UserError(f"no Kaggle credentials that are valid: {SIGN_IN}, then run the same command again") from None
    return api


def _status(error: Exception) -> int | None:
    response = getattr(error, "response", None)
    return None if response is None else response.status_code


def _may_pass(error: Exception) -> bool:
    """Whether the same request may work a little later."""
    status = _status(error)
    if status is None:
        return isinstance(error, (*NETWORK, UploadCutError, ValueError))
    # After a redirection it is not Kaggle that refuses, but its store, whose addresses expire.
    return status in (408, 429) or status >= 500 or bool(error.response.history)  # type: ignore[attr-defined]


def _asked_pause(error: Exception) -> float:
    """The seconds that the server asks to wait; 0 if it does not say."""
    response = getattr(error, "response", None)
    asked = "" if response is None else response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0


def _fault(error: Exception) -> str:
    """What happened, in a few words of our own."""
    if status := _status(error):
        kind = "asks for a pause" if status == 429 else "has a fault" if status >= 500 else "refused the request"
        return f"Kaggle {kind} ({status})"
    if isinstance(error, NETWORK):
        late = "timed out" in str(error).lower()
        return f"Kaggle did not answer within {TIMEOUT[1]:g} s" if late else "the connection to Kaggle failed"
    if isinstance(error, UploadCutError):
        return "the file could not be handed over to Kaggle"
    if isinstance(error, ValueError):
        return "what arrived from Kaggle is not what it announced"
    where = f", {error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else ""
    return f"Kaggle's client failed ({type(error).__name__}{where})"


def _advice(error: Exception, api: Any, what: Resource, attempts: int) -> str:
    """What happened and what to do next, in one line."""
    status, fault, again = _status(error), _fault(error), "run the same command again"
    if _may_pass(error):
        check = "" if status else "check the connection and "
        later = f"in {math.ceil(_asked_pause(error) / 60) or 10} minutes"
        return f"{fault}, attempt {attempts}; {check}{again} {later}: nothing is lost"
    if status == 401:
        return f"Kaggle did not accept your credentials (401): {SIGN_IN}, then {again}"
    if status == 403:
        return f"Kaggle does not give you {what.slug} (403): {what.refused}, then {again}{_said(error, api)}"
    if status == 404:
        return what.missing
    return f"{fault}{_said(error, api)}; docs/kaggle.md says more; then {again}"


def _said(error: Exception, api: Any) -> str:
    """The reason that Kaggle itself gives, as the end of a sentence, without credentials; empty if it gives none."""
    try:
        reason = " ".join(str(error.response.json()["message"]).split())  # type: ignore[attr-defined]
    except (AttributeError, ValueError, KeyError, TypeError):
        return ""
    for secret in _secrets(api):
        reason = reason.replace(secret, "***")
    reason = "".join(character for character in reason if character.isprintable())
    return f" ({reason[:200]})" if reason else ""


def _secrets(api: Any) -> list[str]:
    """Whatever works as a password, from each place where the client looks: kaggle.json, a token, an OAuth login."""
    from kagglesdk import KaggleCredentials, get_access_token_from_env  # noqa: PLC0415  only this source needs it

    login = Path(KaggleCredentials.DEFAULT_CREDENTIALS_FILE).expanduser()
    try:
        stored = json.loads(login.read_text()) if login.is_file() else {}
        tokens = [str(stored[key]) for key in ("refresh_token", "access_token") if stored.get(key)]
    except (OSError, ValueError, AttributeError, TypeError):
        tokens = []
    config = api.config_values if api else {}
    user, key = config.get("username"), config.get("key")
    found = [*tokens, key, config.get("token"), get_access_token_from_env()[0]]
    if user and key:
        found.append(b64encode(f"{user}:{key}".encode()).decode())
    return [secret for secret in found if secret]
