"""Serves the page and the models to browsers on this machine, and to nobody else."""

import json
import re
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import unquote, urlsplit

import cv2

from src.errors import UserError, explain
from src.sources.synthetic.photo import photo as draw
from tools.app.shelf import Shelf

DRAWN_SEED, DRAWN_SIZE = 99, 800  # another seed than that of params.yaml: no model has seen these
MAX_CONNECTIONS = 32
HERE = Path(__file__).parent
LIBRARY = HERE / "node_modules/onnxruntime-web/dist"  # what npm fetched
OWN = ("127.0.0.1", "localhost")  # names of this machine that are no other's
FILES = {
    "/": HERE / "page/index.html",
    "/page.css": HERE.parent.parent / "src/page/page.css",
    **{f"/{name}": HERE / "page" / name for name in ("app.css", "app.js", "get.js", "mask.js", "worker.js")},
    **{f"/ort/{name}": LIBRARY / name for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")},
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}
HEADERS = {
    # The browser itself refuses whatever would leave for, or come from, another place than this server.
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
        "style-src 'self'; img-src 'self' data: blob:; media-src blob: mediastream:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def make_server(port: int, shelf: Shelf) -> ThreadingHTTPServer:
    """A server of the page on 127.0.0.1, at `port` (0: any that is free); raises UserError if that is taken."""
    if not LIBRARY.exists():
        raise UserError(f"{LIBRARY.relative_to(Path.cwd())} is missing; start the page with make app")
    try:
        return Server((OWN[0], port), partial(Handler, shelf))
    except OSError:
        raise UserError(f"port {port} is taken, perhaps by this page; name another with --port") from None


def a_drawn_person(index: int) -> bytes:
    """A photo of the default source, as PNG."""
    picture, _ = draw(DRAWN_SEED, index, DRAWN_SIZE)
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


class Server(ThreadingHTTPServer):
    """Answers at most MAX_CONNECTIONS at a time, each in a thread; whoever comes on top of that is hung up on."""

    def __init__(self, *arguments: Any) -> None:
        self.free = BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()


class Handler(BaseHTTPRequestHandler):
    """Answers GET requests, for nothing but what is listed here."""

    timeout = 20  # seconds that a socket may be silent

    def __init__(self, shelf: Shelf, *arguments: object) -> None:
        self.shelf = shelf
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        try:
            host, path = urlsplit(f"//{self.headers.get('Host', '')}").hostname, unquote(urlsplit(self.path).path)
        except ValueError:  # such as [ without its ]
            self.answer(HTTPStatus.BAD_REQUEST, ".txt", b"this is no address")
            return
        # A page from elsewhere can give this machine a name of its own and then read what is served here.
        if host not in OWN:
            self.answer(HTTPStatus.FORBIDDEN, ".txt", b"this page is for this machine alone")
            return
        try:
            self.answer(HTTPStatus.OK, *self.content(path))
        except (KeyError, FileNotFoundError):
            self.answer(HTTPStatus.NOT_FOUND, ".txt", b"there is no such file or model; reload the page")
        except (ConnectionError, TimeoutError):  # the browser did not wait
            pass
        except Exception as error:
            if not (line := explain(error)):
                raise
            self.answer(HTTPStatus.CONFLICT, ".txt", line.removeprefix("error: ").encode())

    def content(self, path: str) -> tuple[str, bytes]:
        """What is at `path`: the ending of its type, and its bytes."""
        if path == "/settings.json":
            return ".json", json.dumps(self.shelf.settings()).encode()
        if drawn := re.fullmatch(r"/drawn/(\d{1,6})\.png", path):
            return ".png", a_drawn_person(int(drawn[1]))
        if path.startswith("/models/"):
            name, _, kind = path.removeprefix("/models/").rpartition(".")
            model = self.shelf.onnx(name)  # makes it, if it is not there
            if kind == "onnx":
                return ".onnx", model.read_bytes()
            return ".json", json.dumps(self.shelf.facts(name)).encode()
        return FILES[path].suffix, FILES[path].read_bytes()

    def answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        """Sends `content`, of the type that files ending in `kind` have."""
        self.send_response(status)
        headers = HEADERS | {"Content-Type": TYPES[kind], "Content-Length": str(len(content))}
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nobody wants a line per request."""
