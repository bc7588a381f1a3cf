"""What is asked of Kaggle: to run a kernel, how it is, and what it wrote. Each call is tried a few times.

A kernel is named as Kaggle does: OWNER/SLUG.
"""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

from src.errors import UserError
from src.sources.kaggle.client import call_kaggle, save

SHAPE = "NvidiaTeslaT4"  # two T4s; `enable_gpu` alone has given a P100, for which Kaggle's torch has no kernels
ENDED = ("COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED")
VERIFY = "Kaggle gives GPUs and internet to verified phone numbers alone: kaggle.com/settings"
INTERVAL = 30.0  # seconds between two looks at a kernel
READ_FOR = 10.0  # seconds that the log of a running kernel is followed in one go
DATASET_INTERVAL, DATASET_LOOKS = 5.0, 120  # until a new dataset can be used
T = TypeVar("T")


def page(kernel: str) -> str:
    """Where a person looks at it."""
    return f"kaggle.com/code/{kernel}"


def user_name() -> str:
    """Whose credentials these are."""
    return _ask(lambda api: api.config_values["username"])


def state(kernel: str) -> tuple[str, str]:
    """Kaggle's word for how the kernel is, empty if there is none of that name, and why it failed."""

    def attempt(api: Any) -> tuple[str, str]:
        session = _or_none(lambda: api.kernels_status(kernel))
        return (session.status.name, session.failure_message or "") if session else ("", "")

    return _ask(attempt, kernel)


def push(kernel: str, script: str, inputs: dict[str, list[str]]) -> None:
    """Starts the kernel, unless it is there already: the answer to an earlier attempt may have been lost.

    `inputs` are the `..._sources` of its metadata. Raises UserError with Kaggle's reason if it is turned down.
    """
    about = {"id": kernel, "title": kernel.split("/")[1], "code_file": "kernel.py", "language": "python"}
    about |= {"kernel_type": "script", "machine_shape": SHAPE}
    switches = dict.fromkeys(("is_private", "enable_gpu", "enable_internet"), True)

    def attempt(api: Any) -> None:
        if _or_none(lambda: api.kernels_status(kernel)):
            return
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "kernel-metadata.json").write_text(json.dumps(about | switches | inputs))
            Path(folder, "kernel.py").write_text(script)
            answer = api.kernels_push(folder)
        if answer.error:
            reason = " ".join(answer.error.split())[:200]
            raise UserError(f"Kaggle does not start the kernel: {reason}; mend that and run the same command again")
        if not_found := [*(answer.invalid_competition_sources or []), *(answer.invalid_dataset_sources or [])]:
            raise UserError(
                f"Kaggle started {page(kernel)} without {not_found[0]}, since you may not use it: accept its rules or "
                "conditions on its page, cancel that kernel, and run the same command again"
            )

    _ask(attempt, kernel)


def push_dataset(slug: str, file: Path) -> None:
    """Makes a private dataset that holds `file`, unless it is there already, and waits until it can be used."""

    def attempt(api: Any) -> None:
        if _or_none(lambda: api.dataset_status(slug)) is None:
            with tempfile.TemporaryDirectory() as folder:
                about = {"id": slug, "title": slug.split("/")[1], "licenses": [{"name": "other"}]}
                Path(folder, "dataset-metadata.json").write_text(json.dumps(about))
                Path(folder, file.name).write_bytes(file.read_bytes())
                answer = api.dataset_create_new(folder, public=False, quiet=True, convert_to_csv=False)
            if answer.error:
                raise UserError(f"Kaggle does not take the dataset {slug}: {answer.error}")
        for _ in range(DATASET_LOOKS):
            if _or_none(lambda: api.dataset_status(slug)) == "ready":
                return
            time.sleep(DATASET_INTERVAL)
        raise UserError(f"the dataset {slug} is not ready yet; run the same command again later")

    _ask(attempt, slug)


def log(kernel: str) -> list[str]:
    """The lines that the kernel has printed so far, of a running one within READ_FOR seconds; empty if it fails."""
    printed: list[str] = []

    def attempt(api: Any) -> None:
        end = time.monotonic() + READ_FOR
        with suppress(requests.RequestException, ValueError):  # it is for the eye alone
            for event in api.kernels_logs_stream(kernel):
                printed.append(str(event.get("data") or ""))
                if time.monotonic() > end:
                    break

    _ask(attempt, kernel)
    return [line for line in "".join(printed).splitlines() if line.strip()]


def gpu_hours() -> str:
    """The GPU hours of this week, used and allowed; empty if Kaggle does not say."""

    def attempt(api: Any) -> str:
        with suppress(requests.RequestException, AttributeError, ValueError):
            quota = api.quota_view().gpu_quota
            used, allowed = (t.total_seconds() / 3600 for t in (quota.time_used, quota.total_time_allowed))
            return f"GPU {used:.1f} of {allowed:.0f} h this week"
        return ""

    return _ask(attempt)


def fetch(kernel: str, name: str, folder: Path) -> bool:
    """Brings the file `name` that the kernel wrote, or the rest of it, to `folder`; False if it wrote none."""

    def attempt(api: Any) -> bool:
        request = ApiListKernelSessionOutputRequest()
        request.user_name, request.kernel_slug = kernel.split("/")
        request.page_size = 200
        with api.build_kaggle_client() as client:
            files = client.kernels.kernels_api_client.list_kernel_session_output(request).files or []
        urls = [file.url for file in files if file.file_name == name]
        for url in urls:
            with requests.get(url, stream=True) as response:  # call_kaggle sets the timeout
                response.raise_for_status()
                save(api, response, folder / name)
        return bool(urls)

    return _ask(attempt, kernel)


def _ask(call: Callable[[Any], T], slug: str = "USER/KERNEL") -> T:
    """What `call(api)` returns, after a few attempts if need be; `slug` is what it speaks of."""
    missing = f"{page(slug)} is not there; the same command starts it"
    return call_kaggle(call, {403: f"{VERIFY}; this kernel's page would be {page(slug)}", 404: missing})


def _or_none(call: Callable[[], T]) -> T | None:
    """What `call` returns; None where Kaggle says that there is nothing of that name, or nothing for this user."""
    try:
        return call()
    except (requests.HTTPError, ValueError) as error:
        cause = error if isinstance(error, requests.HTTPError) else error.__context__  # the client hides 401 and 403
        response = getattr(cause, "response", None)
        if response is not None and response.status_code in (403, 404):
            return None
        raise (cause or error) from None
