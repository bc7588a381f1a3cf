"""A real S3 server on this machine, reached over a wire that can be cut in the middle of an upload."""

import logging
import math
import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType

import boto3
from moto.server import ThreadedMotoServer

KEYS = {"access_key_id": "tester", "secret_access_key": "secret"}  # the server takes any
BLOCK = 4096


class S3Server:
    """Start with `with S3Server() as server`; DVC reaches it under `url` and `endpoint`."""

    def __init__(self, bucket: str) -> None:
        self.bucket, self.url = bucket, f"s3://{bucket}"
        self.moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request buries what failed

    def __enter__(self) -> "S3Server":
        self.moto.start()
        self.wire = _Wire(self.moto.get_host_and_port())
        threading.Thread(target=self.wire.serve_forever, daemon=True).start()
        self.endpoint = "http://{}:{}".format(*self.wire.server_address)
        keys = {f"aws_{name}": value for name, value in KEYS.items()}
        s3 = boto3.resource("s3", endpoint_url=self.endpoint, region_name="us-east-1", **keys)
        self.store = s3.create_bucket(Bucket=self.bucket)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.shutdown()
        self.wire.server_close()
        self.moto.stop()

    def cut_after(self, size: int) -> None:
        """Every connection breaks once `size` more bytes have been sent to the server."""
        self.wire.left = size

    def mend(self) -> None:
        self.wire.left = math.inf

    def objects(self) -> dict[str, bytes]:
        """What the server holds, by key."""
        return {entry.key: entry.get()["Body"].read() for entry in self.store.objects.all()}


class _Wire(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, server: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.server, self.left = server, math.inf


class _Connection(socketserver.BaseRequestHandler):
    server: _Wire

    def handle(self) -> None:
        with socket.create_connection(self.server.server) as far:
            answers = threading.Thread(target=self.pass_answers, args=(far,))
            answers.start()
            with suppress(OSError):  # one of the two has gone
                while block := self.request.recv(BLOCK):
                    self.server.left -= len(block)
                    if self.server.left < 0:
                        break
                    far.sendall(block)
            for end in (far, self.request):
                close(end)
            answers.join()

    def pass_answers(self, far: socket.socket) -> None:
        with suppress(OSError):
            while block := far.recv(BLOCK):
                self.request.sendall(block)
        close(self.request)


def close(end: socket.socket) -> None:
    with suppress(OSError):  # closed already
        end.shutdown(socket.SHUT_RDWR)
