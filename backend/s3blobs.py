"""A bucket of an S3 service as a place for named bytes, through s3fs, which is loaded when it is first used."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from backend.blobs import Blob, StoreRefused, StoreUnreachable

CONNECT_S = 5
READ_S = 30
DEADLINE_S = 600.0  # of a whole request: a service that accepts a connection and then says nothing
ATTEMPTS = 2  # in s3fs and in botocore each: a worker that waits for long is better off giving its stage back
REFUSALS = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class S3Blobs:
    """Objects of a bucket, below a prefix. Keys come from the variables and files that every AWS program reads.

    Safe to use from several threads; a forked child opens connections of its own.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    _opened: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def where(self) -> str:
        return f"s3://{self._key('').rstrip('/')}"

    @property
    def remote(self) -> bool:
        return True

    def check(self) -> None:
        self._ask(lambda files: files.call_s3("head_bucket", Bucket=self.bucket))
        self._ask(lambda files: files.call_s3("list_objects_v2", Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1))

    def read(self, name: str) -> bytes | None:
        def get(files: Any) -> bytes | None:
            try:
                data: bytes = files.cat_file(self._key(name), max_concurrency=1, timeout=DEADLINE_S)
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return None
            return data

        return self._ask(get)

    def write(self, name: str, data: bytes) -> None:
        self._ask(lambda files: files.pipe_file(self._key(name), data, timeout=DEADLINE_S))

    def create(self, name: str, data: bytes) -> bool:
        def put(files: Any) -> bool:
            try:
                files.pipe_file(self._key(name), data, mode="create", timeout=DEADLINE_S)
            except FileExistsError:
                return False
            return True

        return self._ask(put)

    def find(self, folder: str) -> Iterator[Blob]:
        listed = self._ask(lambda files: files.find(self._key(folder), detail=True))
        start = len(self._key(""))
        for key, facts in listed.items():
            yield Blob(key[start:], int(facts["size"]), facts["LastModified"].timestamp())

    def remove(self, name: str, before: float) -> bool:
        def delete(files: Any) -> bool:
            try:
                found = files.info(self._key(name))
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return False
            young: bool = found["LastModified"].timestamp() >= before
            if not young:
                files.rm_file(self._key(name))
            return not young

        return self._ask(delete)

    def path(self, name: str) -> Path:
        raise TypeError(f"{name!r} is no file of this machine")

    def close(self) -> None:
        self._opened.pop(os.getpid(), None)  # its finalizer closes the connections

    def _key(self, name: str) -> str:
        return "/".join(part for part in (self.bucket, self.prefix) if part) + f"/{name}"

    def _files(self) -> Any:
        """The file system of this process; two threads that come first may make two, which only costs time."""
        found = self._opened.get(os.getpid())
        if found is None:
            from s3fs import S3FileSystem

            found = S3FileSystem(
                endpoint_url=self.endpoint or None,
                skip_instance_cache=True,
                use_listings_cache=False,
                config_kwargs={
                    "connect_timeout": CONNECT_S,
                    "read_timeout": READ_S,
                    "retries": {"max_attempts": ATTEMPTS, "mode": "standard"},
                },
            )
            found.retries = ATTEMPTS
            found = self._opened.setdefault(os.getpid(), found)
        return found

    def _ask(self, request: Callable[[Any], Answer]) -> Answer:
        try:
            return request(self._files())
        except Exception as error:
            raise self._in_words(error) from None

    def _in_words(self, error: Exception) -> Exception:
        """What went wrong, by kind and code alone: a library's own words may hold addresses and keys."""
        kind, code = type(error).__name__, _code(error)
        if isinstance(error, FileNotFoundError):
            return StoreRefused(
                f"The bucket {self.bucket!r} of LOOPSCOPE_ARTIFACTS_URL does not exist.",
                "Create it, or correct LOOPSCOPE_ARTIFACTS_URL and LOOPSCOPE_S3_ENDPOINT.",
            )
        if isinstance(error, PermissionError) or kind in REFUSALS:
            return StoreRefused(
                f"The bucket {self.bucket!r} of LOOPSCOPE_ARTIFACTS_URL may not be used with these keys "
                f"({code or kind}).",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and see what they may do.",
            )
        if isinstance(error, OSError) or _of_a_client(error):
            return StoreUnreachable(
                f"The artifact store {self.where} does not answer ({code or kind}).",
                "Check LOOPSCOPE_ARTIFACTS_URL, LOOPSCOPE_S3_ENDPOINT and the network.",
            )
        return error


def _code(error: BaseException) -> str:
    """What the service called it, e.g. ``NoSuchBucket``; "" where it did not answer."""
    for link in (error, error.__cause__):
        response = getattr(link, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _of_a_client(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in ("botocore", "aiobotocore", "aiohttp", "fsspec", "s3fs", "asyncio")
