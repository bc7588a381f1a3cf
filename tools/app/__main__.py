"""app [MODEL_FILE ...]: a page to try models on photos or the camera, for this machine alone; `make app` opens it."""

import argparse
import json
import traceback
import webbrowser
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

from src.errors import UserError, explain, run_main
from tools.app.shelf import find_files, picture
from tools.demo import EXAMPLE, VIEWS, scored_dice
from tools.find_model import find_file

PORT = 8127
HERE = Path(__file__).parent
MAX_MEGABYTES = 100  # of a photo's file, which is read into memory
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
}


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.app", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: all in models and models/starters")
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}")
    parser.add_argument("--no-browser", action="store_true", help="only say where the page is")
    options = parser.parse_args(arguments)
    for file in options.files:
        find_file(file)  # or it ends here
    server = make_server(options.port, options.files)
    address = f"http://127.0.0.1:{server.server_port}/"
    print(f"{address} is open to this machine alone; Ctrl-C ends it", flush=True)
    if not options.no_browser:
        webbrowser.open(address)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


def make_server(port: int, named: list[Path]) -> ThreadingHTTPServer:
    """Serves the page for the files `named` on 127.0.0.1, at `port` (0: any free one); UserError if it cannot."""
    try:
        return ThreadingHTTPServer((OWN[0], port), partial(Handler, named))
    except (OSError, OverflowError):
        raise UserError(f"port {port} is taken, or none (0 to 65535); name another with --port") from None


class Handler(BaseHTTPRequestHandler):
    """Gives the files that are listed here, and takes photos from the page alone."""

    timeout = 20  # seconds that a connection may be silent

    def __init__(self, named: list[Path], *arguments: object) -> None:
        self.named = named
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Sends what the path and the query ask for, or why not."""
        status = HTTPStatus.OK
        try:
            kind, content = self.content()
        except Exception as error:
            status, kind, line = HTTPStatus.BAD_REQUEST, TEXT, explain(error)
            if not line:
                traceback.print_exc()
            content = (line.removeprefix("error: ") or "this failed; see the terminal of make app").encode()
        with suppress(ConnectionError):  # the browser did not wait
            self.send_response(status)
            for header, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - http.server's name

    def content(self) -> tuple[str, bytes]:
        """Media type and bytes of a file, or of the picture of the photo in the request's body.

        The query has the picture's model and view. Raises UserError for what there is not, and for whoever is not this
        machine's user.
        """
        path, _, query = self.path.partition("?")
        # A page from elsewhere can give this machine a name of its own and then read what is served here,
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host.partition(":")[0] not in OWN:
            raise UserError("this page is for this machine alone")
        if self.command == "POST":
            # or post photos without reading the answers. Browsers name the origin of all that is posted.
            if origin != f"http://{host}":
                raise UserError("photos are taken from this page alone")
            asked, files = dict(parse_qsl(query)), find_files(self.named)
            if asked.get("view") not in VIEWS or asked.get("model") not in files:
                raise UserError("there is no such model; reload the page")
            size = int(self.headers.get("Content-Length", 0))
            if not 0 <= size <= MAX_MEGABYTES * 1e6:
                raise UserError(f"more than {MAX_MEGABYTES} MB; make it smaller")
            return "image/png", picture(files[asked["model"]], asked["view"], self.rfile.read(size))
        if path == "/models.json":
            dice = {name: scored_dice(file) for name, file in find_files(self.named).items()}
            return "application/json", json.dumps(dice).encode()
        if path not in FILES:
            raise UserError("there is no such page")
        file, kind = FILES[path]
        return kind, file.read_bytes()

    def log_message(self, *_: object) -> None:
        """Nobody wants a line per request."""


if __name__ == "__main__":
    run_main(main)
