"""A real S3 server on this machine."""

import logging
from types import TracebackType

import boto3
from moto.server import ThreadedMotoServer

KEYS = {"access_key_id": "tester", "secret_access_key": "secret"}  # the server takes any


class S3Server:
    """Start with `with S3Server(bucket) as server`; DVC reaches it under `url` and `endpoint`."""

    def __init__(self, bucket: str) -> None:
        self.bucket, self.url = bucket, f"s3://{bucket}"
        self.moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request buries what failed

    def __enter__(self) -> "S3Server":
        self.moto.start()
        self.endpoint = "http://{}:{}".format(*self.moto.get_host_and_port())
        keys = {f"aws_{name}": value for name, value in KEYS.items()}
        s3 = boto3.resource("s3", endpoint_url=self.endpoint, region_name="us-east-1", **keys)
        self.store = s3.create_bucket(Bucket=self.bucket)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.moto.stop()
