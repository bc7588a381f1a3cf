"""What is asked of Kaggle: to run a kernel, how it is, and what it wrote. Each call is tried a few times."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import requests
from tqdm import tqdm

from src.errors import UserError
from src.sources.archive import check_room, room_needed
from src.sources.kaggle import call_kaggle

SHAPE = "NvidiaTeslaT4"  # two T4s; `enable_gpu` alone has given a P100, for which Kaggle's torch has no kernels
ENDED = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED")
VERIFY = "Kaggle gives GPUs and internet to verified phone numbers alone: kaggle.com/settings"
INTERVAL = 30.0  # seconds between two looks at a kernel
READ_FOR = 10.0  # seconds that the log of a running kernel is followed in one go
DATASET_PATIENCE = 600.0  # seconds until a new dataset can be used
DATASET_INTERVAL = 5.0


class Kernel(NamedTuple):
    """A kernel, OWNER/SLUG, as `call_kaggle` wants what it speaks of."""

    slug: str

    @property
    def page(self) -> str:
        return f"kaggle.com/code/{self.slug}"

    @property
    def refused(self) -> str:
        return f"{VERIFY}; this kernel's page would be {self.page}"

    @property
    def missing(self) -> str:
        return f"Kaggle has no kernel {self.slug}"


class State(NamedTuple):
    """How a kernel is: Kaggle's word for it, why it failed, its log so far, seconds since its start, and GPU hours."""

    status: str
    failure: str
    lines: list[str]
    seconds: float
    quota: str


def user_name() -> str:
    """Whose credentials these are."""
    return call_kaggle(lambda api: api.config_values["username"], Kernel("USER/KERNEL"))


def status(kernel: Kernel) -> str | None:
    """Kaggle's word for how the kernel is, or None if there is none of that name."""
    return call_kaggle(lambda api: (found := _session(api, kernel)) and found.status.name, kernel)


def push(kernel: Kernel, script: str, inputs: dict[str, list[str]]) -> None:
    """Starts the kernel, unless it is there already: the answer to an earlier attempt may have been lost.

    `inputs` are the `..._sources` of its metadata. Raises UserError with Kaggle's reason if it is turned down.
    """
    title = kernel.slug.split("/")[1].replace("-", " ")
    about: dict[str, Any] = {
        "id": kernel.slug,
        "title": title,
        "code_file": "kernel.py",
        "language": "python",
        "kernel_type": "script",
    }
    about |= {"is_private": True, "enable_gpu": True, "enable_internet": True, "machine_shape": SHAPE} | inputs

    def attempt(api: Any) -> None:
        if _session(api, kernel):
            return
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "kernel-metadata.json").write_text(json.dumps(about))
            Path(folder, "kernel.py").write_text(script)
            answer = api.kernels_push(folder)
        if answer.error:
            raise UserError(_turned_down(answer.error))
        if not_found := [*(answer.invalid_competition_sources or []), *(answer.invalid_dataset_sources or [])]:
            raise UserError(
                f"Kaggle started {kernel.page} without {not_found[0]}, since you may not use it: accept its rules or "
                "conditions on its page, cancel that kernel, and run the same command again"
            )

    call_kaggle(attempt, kernel)


def _turned_down(reason: str) -> str:
    """What to do about the reason why Kaggle does not start a kernel."""
    reason, low = " ".join(reason.split())[:200], reason.lower()
    if "quota" in low:
        advice = "kaggle quota says when the week is over"
    elif "session count" in low:
        advice = "wait for one of your other kernels, or cancel it at kaggle.com/code"
    else:
        advice = VERIFY
    return f"Kaggle does not start the kernel ({reason}); {advice}; then run the same command again"


def push_dataset(slug: str, file: Path) -> None:
    """Makes a private dataset that holds `file`, unless it is there already, and waits until it can be used."""
    title = slug.split("/")[1].replace("-", " ")

    def attempt(api: Any) -> None:
        if _dataset_status(api, slug) is None:
            with tempfile.TemporaryDirectory() as folder:
                about = {"id": slug, "title": title, "licenses": [{"name": "other"}]}
                Path(folder, "dataset-metadata.json").write_text(json.dumps(about))
                Path(folder, file.name).write_bytes(file.read_bytes())
                answer = api.dataset_create_new(folder, public=False, quiet=True, convert_to_csv=False)
            if answer.error:
                raise UserError(
                    f"Kaggle does not take the dataset {slug} ({answer.error}); look at kaggle.com/datasets"
                )
        start = time.monotonic()
        while _dataset_status(api, slug) != "ready":
            if time.monotonic() - start > DATASET_PATIENCE:
                raise UserError(f"the dataset {slug} is not ready yet; run the same command again later")
            time.sleep(DATASET_INTERVAL)

    call_kaggle(attempt, Kernel(slug))


def look(kernel: Kernel) -> State:
    """How the kernel is; its log and the hours are left empty where Kaggle does not give them."""

    def attempt(api: Any) -> State:
        session = _session(api, kernel)
        if session is None:
            raise UserError(f"{kernel.missing} any more; run the same command again to start it anew")
        events = _events(api, kernel, session.status.name)
        lines = [line for event in events for line in str(event.get("data", "")).splitlines() if line.strip()]
        seconds = max((float(event.get("time", 0)) for event in events), default=0.0)
        return State(session.status.name, session.failure_message, lines, seconds, _quota(api))

    return call_kaggle(attempt, kernel)


def fetch_facts(kernel: Kernel, folder: Path) -> dict[str, Any]:
    """The results.json that the kernel wrote, which goes to `folder`; empty if it wrote none."""
    path = folder / "results.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _download(kernel, folder, path.name)
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        path.unlink()
        raise UserError(f"{path.name} of {kernel.page} did not arrive whole; run the same command again") from None


def fetch_archives(kernel: Kernel, folder: Path, facts: dict[str, Any]) -> None:
    """Downloads to `folder` the archives that `facts` name, but for those that an earlier call has brought."""
    missing = {name: size for name, size in facts["archives"].items() if not _is_whole(folder / name, size)}
    check_room(folder, sum(missing.values()), f"what {kernel.slug} wrote: to download it")
    with tqdm(total=sum(missing.values()), desc="fetch", unit="B", unit_scale=True, disable=None) as bar:
        for name, size in missing.items():
            (folder / name).unlink(missing_ok=True)
            with room_needed(folder):
                _download(kernel, folder, name)
            if not _is_whole(folder / name, size):
                raise UserError(f"{name} of {kernel.page} did not arrive whole; run the same command again")
            bar.update(size)


def _download(kernel: Kernel, folder: Path, name: str) -> None:
    pattern = f"^{name.replace('.', '[.]')}$"
    call_kaggle(lambda api: api.kernels_output(kernel.slug, str(folder), pattern, page_size=200), kernel)


def _is_whole(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _session(api: Any, kernel: Kernel) -> Any:
    """Kaggle's answer about the kernel's last session, or None if there is no such kernel."""
    try:
        return api.kernels_status(kernel.slug)
    except (requests.HTTPError, ValueError) as error:
        cause = error if isinstance(error, requests.HTTPError) else error.__context__  # the client hides 401 and 403
        response = getattr(cause, "response", None)
        if response is not None and response.status_code in (403, 404):
            return None
        raise (cause or error) from None


def _dataset_status(api: Any, slug: str) -> str | None:
    try:
        return api.dataset_status(slug)
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code in (403, 404):
            return None
        raise


def _events(api: Any, kernel: Kernel, word: str) -> list[dict[str, Any]]:
    """The kernel's log: of a running one what comes within READ_FOR seconds, and that is all there is so far."""
    events: list[dict[str, Any]] = []
    start = time.monotonic()
    try:
        if word in ENDED:
            text = api.kernels_logs(kernel.slug)
            return [event for event in json.loads(text) if isinstance(event, dict)] if text else []
        for event in api.kernels_logs_stream(kernel.slug):
            events.append(event)
            if time.monotonic() - start > READ_FOR:
                break
    except (requests.RequestException, ValueError, TypeError):
        pass  # it is for the eye alone
    return events


def _quota(api: Any) -> str:
    """The GPU hours of this week, used and allowed; empty if Kaggle does not say."""
    try:
        quota = api.quota_view().gpu_quota
        used, allowed = (t.total_seconds() / 3600 for t in (quota.time_used, quota.total_time_allowed))
    except (requests.RequestException, AttributeError, ValueError):
        return ""
    return f"GPU {used:.1f} of {allowed:.0f} h this week"
