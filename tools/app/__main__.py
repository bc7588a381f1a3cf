"""app [MODEL_FILE ...]: a page to try models on photos or the camera, for this machine alone; `make app` opens it."""

import argparse
import webbrowser
from pathlib import Path

from src.errors import run_main
from tools.app.server import make_server
from tools.find_model import find_file

PORT = 8127


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


if __name__ == "__main__":
    run_main(main)
