"""What is asked of Kaggle: to run a kernel, how it is, and what it wrote. Each call is tried a few times."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import requests
from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

from src.errors import UserError
from src.sources.archive import room_needed
from src.sources.kaggle.client import call_kaggle, save

SHAPE = "NvidiaTeslaT4"  # two T4s; `enable_gpu` alone has given a P100, for which Kaggle's torch has no kernels
ENDED = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED")
VERIFY = "Kaggle gives GPUs and internet to verified phone numbers alone: kaggle.com/settings"
ADVICE = {  # what to do, by a word of the reason why Kaggle does not start a kernel
    "quota": "kaggle quota says when the week is over",
    "session count": "wait for one of your other kernels, or cancel it at kaggle.com/code",
    "": VERIFY,
}
INTERVAL = 30.0  # seconds between two looks at a kernel
LONGEST_SCRIPT = 900_000  # characters
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
        return f"Kaggle has no kernel {self.slug}; run the same command again to start it"


class State(NamedTuple):
    """How a kernel is: Kaggle's word for it, why it failed, and its log so far."""

    status: str
    failure: str
    lines: list[str]


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
    about = {"id": kernel.slug, "title": _title(kernel.slug), "code_file": "kernel.py", "language": "python"}
    about |= {"kernel_type": "script", "machine_shape": SHAPE}
    switches = dict.fromkeys(("is_private", "enable_gpu", "enable_internet"), True)

    def attempt(api: Any) -> None:
        if _session(api, kernel):
            return
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "kernel-metadata.json").write_text(json.dumps(about | switches | inputs))
            Path(folder, "kernel.py").write_text(script)
            answer = api.kernels_push(folder)
        if answer.error:
            reason = " ".join(answer.error.split())[:200]
            advice = next(advice for word, advice in ADVICE.items() if word in reason.lower())
            raise UserError(f"Kaggle does not start the kernel ({reason}); {advice}; then run the same command again")
        if not_found := [*(answer.invalid_competition_sources or []), *(answer.invalid_dataset_sources or [])]:
            raise UserError(
                f"Kaggle started {kernel.page} without {not_found[0]}, since you may not use it: accept its rules or "
                "conditions on its page, cancel that kernel, and run the same command again"
            )

    call_kaggle(attempt, kernel)


def push_dataset(slug: str, file: Path) -> None:
    """Makes a private dataset that holds `file`, unless it is there already, and waits until it can be used."""

    def attempt(api: Any) -> None:
        if _or_none(lambda: api.dataset_status(slug)) is None:
            with tempfile.TemporaryDirectory() as folder:
                about = {"id": slug, "title": _title(slug), "licenses": [{"name": "other"}]}
                Path(folder, "dataset-metadata.json").write_text(json.dumps(about))
                Path(folder, file.name).write_bytes(file.read_bytes())
                answer = api.dataset_create_new(folder, public=False, quiet=True, convert_to_csv=False)
            if answer.error:
                raise UserError(
                    f"Kaggle does not take the dataset {slug} ({answer.error}); look at kaggle.com/datasets"
                )
        start = time.monotonic()
        while _or_none(lambda: api.dataset_status(slug)) != "ready":
            if time.monotonic() - start > DATASET_PATIENCE:
                raise UserError(f"the dataset {slug} is not ready yet; run the same command again later")
            time.sleep(DATASET_INTERVAL)

    call_kaggle(attempt, Kernel(slug))


def look(kernel: Kernel) -> State:
    """How the kernel is; its log is left empty where Kaggle does not give it."""

    def attempt(api: Any) -> State:
        session = _session(api, kernel)
        if session is None:
            raise UserError(kernel.missing)
        word = session.status.name
        lines = [line for text in _log(api, kernel, word) for line in text.splitlines() if line.strip()]
        return State(word, session.failure_message, lines)

    return call_kaggle(attempt, kernel)


def gpu_hours() -> str:
    """The GPU hours of this week, used and allowed; empty if Kaggle does not say."""

    def attempt(api: Any) -> str:
        try:
            quota = api.quota_view().gpu_quota
            used, allowed = (t.total_seconds() / 3600 for t in (quota.time_used, quota.total_time_allowed))
        except (requests.RequestException, AttributeError, ValueError):
            return ""
        return f"GPU {used:.1f} of {allowed:.0f} h this week"

    return call_kaggle(attempt, Kernel("USER/KERNEL"))


def fetch(kernel: Kernel, name: str, folder: Path) -> Path | None:
    """The file `name` that the kernel wrote, or the rest of it, in `folder`; None if it wrote none of that name."""
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)

    def attempt(api: Any) -> Path | None:
        request = ApiListKernelSessionOutputRequest()
        request.user_name, request.kernel_slug = kernel.slug.split("/")
        request.page_size = 200
        with api.build_kaggle_client() as client:
            files = client.kernels.kernels_api_client.list_kernel_session_output(request).files or []
        for url in (file.url for file in files if file.file_name == name):
            with requests.get(url, stream=True) as response:  # call_kaggle sets the timeout
                response.raise_for_status()
                save(api, response, path)
            return path
        return None

    with room_needed(folder):
        return call_kaggle(attempt, kernel)


def _title(slug: str) -> str:
    return slug.split("/")[1].replace("-", " ")


def _session(api: Any, kernel: Kernel) -> Any:
    """Kaggle's answer about the kernel's last session, or None if there is no such kernel."""
    return _or_none(lambda: api.kernels_status(kernel.slug))


def _or_none(call: Any) -> Any:
    """What `call` returns; None where Kaggle says that there is nothing of that name, or nothing for this user."""
    try:
        return call()
    except (requests.HTTPError, ValueError) as error:
        cause = error if isinstance(error, requests.HTTPError) else error.__context__  # the client hides 401 and 403
        response = getattr(cause, "response", None)
        if response is not None and response.status_code in (403, 404):
            return None
        raise (cause or error) from None


def _log(api: Any, kernel: Kernel, word: str) -> list[str]:
    """What the kernel has printed: of a running one what comes within READ_FOR seconds, and that is all so far."""
    printed: list[str] = []
    start = time.monotonic()
    try:
        if word in ENDED:
            return [str(event["data"]) for event in json.loads(api.kernels_logs(kernel.slug) or "[]")]
        for event in api.kernels_logs_stream(kernel.slug):
            printed.append(str(event["data"]))
            if time.monotonic() - start > READ_FOR:
                break
    except (requests.RequestException, ValueError, TypeError, KeyError):
        pass  # it is for the eye alone
    return printed
