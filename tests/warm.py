"""A `python` that starts with its libraries loaded: importing torch takes longer than a tiny stage does.

A server imports what the stages import, once. In front of PATH lies a `python` that hands its command to the server,
which forks: the copy reads the project's code anew, from the folder it is called in, and runs it with the libraries
that are there already. DVC, its stages and their files are the real ones.
"""

import importlib
import json
import os
import runpy
import shutil
import socket
import socketserver
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(16) or 1))
"""


class Handler(socketserver.BaseRequestHandler):
    """One command, in a fork of the server: `-m MODULE ARGUMENT...` with the caller's folder, environment and files."""

    def handle(self) -> None:
        files = socket.recv_fds(self.request, 1, 3)[1]
        (_, module, *arguments), folder, environment = json.loads(self.request.makefile().read())
        for number, file in enumerate(files):
            os.dup2(file, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["python", *arguments]
        sys.path[0] = folder
        status: object = 0
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code or 0
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        self.request.sendall(str(status).encode())


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    """Forks for each command."""

    max_children = 1000


def serve(address: str) -> None:
    """Loads what the stages in the current folder import, forgets the project's own modules, and serves commands."""
    for script in (*Path("stages").glob("*/__main__.py"), *Path("tools").rglob("[a-z]*.py")):
        importlib.import_module(".".join(script.with_suffix("").parts))
    for name in [name for name in sys.modules if name.split(".")[0] in ("src", "stages", "tools")]:
        del sys.modules[name]
    with Server(address, Handler) as server:
        print("ready", flush=True)
        server.serve_forever()


@contextmanager
def warm_python(root: Path) -> Iterator[Path]:
    """A folder with such a `python`, to put in front of PATH, as long as the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    client = folder / "python"
    client.write_text(CLIENT.format(python=sys.executable, address=str(folder / "socket")))
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", str(folder / "socket")], cwd=root, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout and server.stdout.readline() == "ready\n"
        yield folder
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    serve(sys.argv[1])
