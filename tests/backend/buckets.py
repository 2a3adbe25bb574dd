"""An S3 service on this machine (moto's server), and buckets in it. Import the fixtures where they are wanted."""

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from backend.s3blobs import S3Blobs

ANYBODY = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@dataclass
class Service:
    """What buckets are in is kept by this process: the service can be stopped and started again on its port."""

    port: int = 0
    server: Any = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line per request
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()
        self.port = self.server.get_host_and_port()[1]

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server._server.server_close()
            self.server = None


@pytest.fixture(scope="session")
def s3_service() -> Iterator[Service]:
    service = Service()
    service.start()
    yield service
    service.stop()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "geheim", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3_service: Service, keys: None) -> str:
    """The name of a new bucket of ``s3_service``."""
    if s3_service.server is None:
        s3_service.start()
    name = f"bucket-{secrets.token_hex(4)}"
    httpx.put(f"{s3_service.endpoint}/{name}", headers={"Authorization": ANYBODY}).raise_for_status()
    return name


@pytest.fixture
def open_bucket(s3_service: Service, bucket: str) -> Iterator[Callable[[], S3Blobs]]:
    """Opens the bucket anew, as another process does."""
    opened: list[S3Blobs] = []

    def make() -> S3Blobs:
        opened.append(S3Blobs(bucket, "some/where", s3_service.endpoint))
        return opened[-1]

    yield make
    for blobs in opened:
        blobs.close()
