"""A server on this machine that speaks as much of Kaggle's protocol as its client needs, and fails when told to."""

import base64
import hashlib
import json
import os
import re
import socket
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

USER, KEY, TOKEN = "tester", "KEY-that-must-stay-secret", "TOKEN-that-must-stay-secret"
REFRESH = "REFRESH-that-must-stay-secret"  # of an OAuth login
SIGNATURE = "SIGNATURE-that-must-stay-secret"  # of the store's addresses: who has one can read the file
BASIC = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
SECRETS = (KEY, TOKEN, REFRESH, SIGNATURE, BASIC)
API = "/api/v1/"
CUT, STALL = "cut", "stall"  # faults that are no status: the connection is closed, or nothing more comes


def use_server(server: "KaggleServer", folder: Path, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    """Makes the processes of a test talk to `server`, from a home of their own in `folder`, signed in.

    `start` is code for the start of those that do; there, `client` and `errors` are the modules of src/sources/kaggle.
    """
    (folder / "home/.kaggle").mkdir(parents=True)
    (folder / "start").mkdir()
    (folder / "start/sitecustomize.py").write_text(AT_START + textwrap.indent(start, "    "))
    for name in [name for name in os.environ if name.startswith("KAGGLE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(folder / "home/.kaggle"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("TEST_KAGGLE_URL", server.url)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "start"), os.environ.get("PYTHONPATH", "")]))
    sign_in()


# The client asks this server, and the pauses are short; nothing else is changed.
AT_START = """\
import os, sys
if {"stages.download", "tools.upload", "tools.kaggle_run"} & set(sys.orig_argv):
    sys.path.insert(0, os.getcwd())
    from kagglesdk import kaggle_env
    from src.sources.kaggle import client, errors
    kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.LOCAL] = os.environ["TEST_KAGGLE_URL"]
    client.PAUSES = (0.01, 0.01, 0.01)
"""


def sign_in(key: str = KEY) -> None:
    path = Path(os.environ["HOME"], ".kaggle/kaggle.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"username": USER, "key": key}))
    path.chmod(0o600)


def the_error(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command has failed with."""
    lines = [line for line in result.stderr.replace("\r", "\n").splitlines() if line.startswith("error: ")]
    assert result.returncode == 1 and len(lines) == 1 and "Traceback" not in result.stderr, result.stderr
    assert_no_secret(result.stdout + result.stderr)
    return lines[0]


def assert_no_secret(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


@dataclass
class Fault:
    """How the next `times` requests whose path holds `where` fail: with an HTTP status, or CUT or STALL.

    `late`: it is done, and the answer fails instead: half of a file comes, or nothing.
    """

    where: str
    how: int | str
    times: int = 10**6
    message: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    late: bool = False


@dataclass
class Request:
    """What the client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Kernel:
    """A kernel that was pushed: the request, and what came of it; `output` is the folder that it wrote."""

    request: dict[str, Any]
    status: str = "RUNNING"
    failure: str = ""
    log: list[str] = field(default_factory=list)
    output: Path | None = None

    @property
    def events(self) -> list[dict[str, Any]]:
        return [{"stream_name": "stdout", "time": 3600.0 * n, "data": f"{line}\n"} for n, line in enumerate(self.log)]


class KaggleServer:
    """Start with `with KaggleServer() as server`; `archives` maps a slug to its zip."""

    def __init__(self) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"kaggle": self}))
        self.archives: dict[str, bytes] = {}
        self.modified = time.time() - 10**6  # of all archives
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.blobs: dict[str, bytes] = {}
        self.submissions: list[dict[str, Any]] = []
        self.kernels: dict[str, Kernel] = {}  # by OWNER/SLUG
        self.datasets: dict[str, bytes] = {}  # by OWNER/SLUG: the one file in it
        self.on_push: Callable[[Kernel], None] = lambda _: None
        self.push_answer: dict[str, Any] = {}  # what a push is answered with beside the usual
        self.verdict: dict[str, Any] = {"status": "COMPLETE", "publicScore": "0.91234"}
        self.on_submission: Callable[[], None] = lambda: None
        self.released = threading.Event()  # ends every stall

    def __enter__(self) -> "KaggleServer":
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    @property
    def store(self) -> str:
        """Another name, so that the client takes it for another host, which must not see the credentials."""
        return f"http://localhost:{self.http.server_port}/store"

    def fail(self, where: str, how: int | str, **details: Any) -> None:
        """Adds a Fault."""
        self.faults.append(Fault(where, how, **details))

    def seen(self, where: str) -> list[Request]:
        """The requests whose path holds `where`, oldest first."""
        return [request for request in self.requests if where in request.path]


class _Handler(BaseHTTPRequestHandler):
    kaggle: KaggleServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self._read() or b"{}")
        if not self._fails(body):
            call = self.path.rsplit("/", 1)[1]
            if call == "IntrospectToken":
                self._json({"active": body["token"] == TOKEN, "username": USER if body["token"] == TOKEN else ""})
            elif self.headers.get("Authorization") not in (f"Basic {BASIC}", f"Bearer {TOKEN}"):
                self._refuse(401, f"Unauthenticated: {self.headers.get('Authorization')}")
            else:
                getattr(self, f"_{call}")(body)

    def do_PUT(self) -> None:
        body = self._read()
        if not self._fails(body):
            self.kaggle.blobs[self.path.split("?")[0].rsplit("/", 1)[1]] = body
            self._json({})

    def do_GET(self) -> None:
        if self._fails(None):
            return
        path = self.path.split("?")[0]
        if path.startswith("/api/v1/kernels/logs/stream/"):
            self._stream(self.kaggle.kernels[path.removeprefix("/api/v1/kernels/logs/stream/")])
        elif path.startswith("/store/output/"):
            owner, slug, name = path.removeprefix("/store/output/").split("/")
            file = (self.kaggle.kernels[f"{owner}/{slug}"].output or Path()) / name
            self._store(file.read_bytes(), file.stat().st_mtime)
        else:
            slug = path.removeprefix("/store/").removesuffix("/archive.zip")
            self._store(self.kaggle.archives[slug], self.kaggle.modified)

    def _store(self, content: bytes, modified: float) -> None:
        """A file of the store's, or what is asked for of it."""
        etag, first = f'"{hashlib.md5(content).hexdigest()}"', 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.headers.get("If-Range", etag) == etag:
            first = int(asked[1])
        fault = self._next_fault(late=True)
        about = {"Accept-Ranges": "bytes", "ETag": etag, "Last-Modified": formatdate(modified, usegmt=True)}
        content = content[first:]
        half = content[: len(content) // 2] if fault else content
        self._send(half, about | {"Content-Length": str(len(content))}, 206 if first else 200)
        if fault:
            self._break(fault)

    def _DownloadDataFiles(self, body: dict[str, Any]) -> None:  # noqa: N802
        self._redirect(body["competitionName"])

    def _DownloadDataset(self, body: dict[str, Any]) -> None:  # noqa: N802
        self._redirect(f"{body['ownerSlug']}/{body['datasetSlug']}")

    def _StartSubmissionUpload(self, body: dict[str, Any]) -> None:  # noqa: N802
        token = f"blob-{len(self.kaggle.requests)}-{body.get('fileName') or body['name']}"
        self._json({"token": token, "createUrl": f"{self.kaggle.url}/blobs/{token}?signature={SIGNATURE}"})

    _StartBlobUpload = _StartSubmissionUpload

    def _CreateSubmission(self, body: dict[str, Any]) -> None:  # noqa: N802
        token = body["blobFileTokens"]
        self.kaggle.submissions.append(
            {
                "ref": 4000 + len(self.kaggle.submissions),
                "date": "2026-01-02T03:04:05.678Z",
                "fileName": token.split("-", 2)[2],
                "description": body["submissionDescription"],
                "content": self.kaggle.blobs[token].decode(),
            }
        )
        self.kaggle.on_submission()
        if fault := self._next_fault(late=True):
            self._break(fault)
        else:
            self._json({"message": "Successfully submitted", "ref": self.kaggle.submissions[-1]["ref"]})

    def _ListSubmissions(self, _: dict[str, Any]) -> None:  # noqa: N802
        newest_first = [{**self.kaggle.verdict, **submission} for submission in reversed(self.kaggle.submissions)]
        self._json({"submissions": [{k: v for k, v in row.items() if k != "content"} for row in newest_first]})

    def _SaveKernel(self, body: dict[str, Any]) -> None:  # noqa: N802
        answer = {
            "ref": f"/code/{body['slug']}",
            "url": "",
            "versionNumber": 1,
            "kernelId": 1,
        } | self.kaggle.push_answer
        if not answer.get("error"):
            assert body["slug"] not in self.kaggle.kernels, "pushed twice"
            self.kaggle.kernels[body["slug"]] = Kernel(body)
            self.kaggle.on_push(self.kaggle.kernels[body["slug"]])
        if fault := self._next_fault(late=True):
            self._break(fault)
        else:
            self._json(answer)

    def _GetKernelSessionStatus(self, body: dict[str, Any]) -> None:  # noqa: N802
        if kernel := self._kernel(body):
            self._json({"status": kernel.status} | ({"failureMessage": kernel.failure} if kernel.failure else {}))

    def _ListKernelSessionOutput(self, body: dict[str, Any]) -> None:  # noqa: N802
        if kernel := self._kernel(body):
            names = sorted(path.name for path in kernel.output.iterdir()) if kernel.output else []
            where = f"{self.kaggle.store}/output/{body['userName']}/{body['kernelSlug']}"
            files = [{"fileName": name, "url": f"{where}/{name}?signature={SIGNATURE}"} for name in names]
            self._json({"files": files, "log": json.dumps(kernel.events)})

    def _GetAcceleratorQuotaStatistics(self, _: dict[str, Any]) -> None:  # noqa: N802
        self._json({"gpuQuota": {"timeUsed": "11700s", "totalTimeAllowed": "108000s"}})

    def _GetDatasetStatus(self, body: dict[str, Any]) -> None:  # noqa: N802
        if f"{body['ownerSlug']}/{body['datasetSlug']}" in self.kaggle.datasets:
            self._json({"status": "READY"})
        else:
            self._refuse(404, "Not found")

    def _CreateDataset(self, body: dict[str, Any]) -> None:  # noqa: N802
        assert body["isPrivate"]
        self.kaggle.datasets[f"{body['ownerSlug']}/{body['slug']}"] = self.kaggle.blobs[body["files"][0]["token"]]
        self._json({"ref": "", "url": "", "status": "ok"})

    def _kernel(self, body: dict[str, Any]) -> Kernel | None:
        """The kernel that the request is about; if there is none it is answered."""
        kernel = self.kaggle.kernels.get(f"{body['userName']}/{body['kernelSlug']}")
        if kernel is None:
            self._refuse(404, "Not found")
        return kernel

    def _stream(self, kernel: Kernel) -> None:
        """The log of a running kernel as server-sent events, which here end at once."""
        lines = [f"data: {json.dumps(event)}\n\n" for event in kernel.events]
        content = "".join([*lines, "data: END_OF_LOG\n\n"]).encode()
        self._send(content, {"Content-Type": "text/event-stream"})

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _next_fault(self, late: bool) -> Fault | None:
        """The fault that this request meets, if any."""
        for fault in self.kaggle.faults:
            if fault.times and fault.where in self.path and fault.late == late:
                fault.times -= 1
                return fault
        return None

    def _fails(self, body: Any) -> bool:
        """Notes the request, and answers it if it is to fail."""
        self.kaggle.requests.append(Request(self.command, self.path, dict(self.headers), body))
        fault = self._next_fault(late=False)
        if fault and isinstance(fault.how, int):
            self._refuse(fault.how, fault.message or f"fault for {self.headers.get('Authorization')}", fault.headers)
        elif fault:
            self._break(fault)
        return fault is not None

    def _break(self, fault: Fault) -> None:
        if fault.how == STALL:
            self.kaggle.released.wait(20)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _redirect(self, slug: str) -> None:
        if slug in self.kaggle.archives:
            where = f"{self.kaggle.store}/{slug}/archive.zip?signature={SIGNATURE}"
            self._send(b"", {"Location": where}, 302)
        else:
            self._refuse(404, "Not found")

    def _refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._json({"code": status, "message": message}, status, headers)

    def _json(self, answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(answer).encode(), {"Content-Type": "application/json"} | (headers or {}), status)

    def _send(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
