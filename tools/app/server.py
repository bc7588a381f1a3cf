"""Serves the page, and pictures of the photos that it sends, to browsers on this machine and to nobody else."""

import json
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import parse_qsl

from src.errors import UserError, explain
from tools.app.shelf import VIEWS, Shelf
from tools.demo.__main__ import EXAMPLE

MAX_CONNECTIONS = 32
MAX_MEGABYTES = 100  # of a photo's file, which is read into memory
HERE = Path(__file__).parent
OWN = ("127.0.0.1", "localhost")  # names of this machine that are no other's
TEXT = "text/plain; charset=utf-8"
FILES = {
    "/": (HERE / "page/index.html", "text/html; charset=utf-8"),
    "/page.css": (HERE.parent.parent / "src/page/page.css", "text/css; charset=utf-8"),
    "/app.css": (HERE / "page/app.css", "text/css; charset=utf-8"),
    "/app.js": (HERE / "page/app.js", "text/javascript; charset=utf-8"),
    "/example.png": (EXAMPLE, "image/png"),
}
HEADERS = {
    # The browser itself refuses whatever would leave for, or come from, another place than this server.
    "Content-Security-Policy": (
        "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src blob: mediastream:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def make_server(port: int, shelf: Shelf) -> ThreadingHTTPServer:
    """A server of the page on 127.0.0.1, at `port` (0: any that is free); raises UserError if that is taken."""
    try:
        return Server((OWN[0], port), partial(Handler, shelf))
    except OSError:
        raise UserError(f"port {port} is taken, perhaps by this page; name another with --port") from None


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
    """Gives the files that are listed here, and takes photos from the page alone."""

    timeout = 20  # seconds that a socket may be silent

    def __init__(self, shelf: Shelf, *arguments: object) -> None:
        self.shelf = shelf
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.respond(self.file)

    def do_POST(self) -> None:
        self.respond(self.picture)

    def respond(self, content: Callable[[str, str], tuple[str, bytes]]) -> None:
        """Sends media type and bytes as `content` returns them for the path and the query, or why not."""
        path, _, query = self.path.partition("?")
        try:
            self.check_sender()
            self.answer(HTTPStatus.OK, *content(path, query))
        except (ConnectionError, TimeoutError):  # the browser did not wait
            pass
        except Exception as error:
            if line := explain(error):
                self.answer(HTTPStatus.BAD_REQUEST, TEXT, line.removeprefix("error: ").encode())
            else:
                self.answer(HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, b"this failed; see the terminal of make app")
                raise

    def check_sender(self) -> None:
        """Raises UserError for whoever is not this machine's user."""
        # A page from elsewhere can give this machine a name of its own and then read what is served here,
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host.partition(":")[0] not in OWN:
            raise UserError("this page is for this machine alone")
        # or post photos without reading the answers. Browsers name the origin of all that is posted.
        if self.command == "POST" and origin != f"http://{host}":
            raise UserError("photos are taken from this page alone")

    def file(self, path: str, _: str) -> tuple[str, bytes]:
        """What is at `path`."""
        if path == "/settings.json":
            settings = {"models": self.shelf.models(), "max_megabytes": MAX_MEGABYTES}
            return "application/json", json.dumps(settings).encode()
        if path not in FILES:
            raise UserError("there is no such page")
        file, kind = FILES[path]
        return kind, file.read_bytes()

    def picture(self, path: str, query: str) -> tuple[str, bytes]:
        """The picture of the photo in the request's body that `query` asks for: the names of a model and of a view."""
        asked = dict(parse_qsl(query))
        model, view = asked.get("model", ""), asked.get("view", "")
        if path != "/picture" or view not in VIEWS or model not in self.shelf.files():
            raise UserError("there is no such model; reload the page")
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,12}", length) or int(length) > MAX_MEGABYTES * 1e6:
            raise UserError(f"more than {MAX_MEGABYTES} MB; make it smaller")
        photo = self.rfile.read(int(length))
        if len(photo) < int(length):
            raise ConnectionError("the browser hung up")
        return "image/png", self.shelf.picture(model, view, photo)

    def answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        """Sends `content` of the media type `kind`."""
        self.send_response(status)
        headers = HEADERS | {"Content-Type": kind, "Content-Length": str(len(content))}
        for header, value in headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nobody wants a line per request."""
