"""Files and bodies that lie: about their size, their kind, their content."""

import io
import json
import threading
import time
import zipfile

import numpy as np
import pytest

from backend.api import PREFIX
from backend.motionfiles import write_motion
from tests.backend.walker import walker
from tests.security.conftest import Answer, House

# Uploads that were refused half way are closed when Python gets to it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MARK = b"--cut"
FORM = "multipart/form-data; boundary=cut"


def part(name: str, content: bytes, filename: str = "") -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    return MARK + f'\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def upload(house: House, content: bytes, filename: str = "clip.npz", corrector: str = "kinematic") -> Answer:
    body = part("file", content, filename) + part("corrector", corrector.encode()) + part("report", b"none")
    return house.ask("POST", f"{PREFIX}/correct", body + MARK + b"--\r\n", role="runner", content_type=FORM)


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("root_position_m.npy", bytes(50_000_000))
    return out.getvalue()


def long_take(frames: int) -> bytes:
    out = io.BytesIO()
    motion = walker()
    np.savez_compressed(
        out,
        root_position_m=np.zeros((frames, 3)),
        local_rotations_wxyz=np.tile([1.0, 0, 0, 0], (frames, 16, 1)),
        fps=np.array(120.0),
        skeleton=np.array(json.dumps(motion.skeleton.as_dict())),
    )
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "filename", "words"),
    [
        (bomb(), "clip.npz", "would unpack to"),
        (long_take(20_001), "long.npz", "long.npz: 'root_position_m'|long.npz has 20001 frames; at most 20000"),
        (b"PK\x03\x04" + b"\xff" * 500, "x\u202egnp\x1b.npz", "damaged"),
    ],
)
def test_what_a_file_claims_is_not_believed(house: House, content: bytes, filename: str, words: str) -> None:
    answer = upload(house, content, filename)
    message = json.loads(answer.body)["error"]["message"]
    assert answer.status == 422 and any(word in message for word in words.split("|")), message
    assert message.isprintable(), "what the file is called is shown on one line, in one direction"
    assert not list((house.home / "cache" / "corrections").iterdir()), "nothing is kept of it"


@pytest.mark.parametrize(
    "filename", ["../../../etc/cron.d/x.npz", "/etc/x.npz", "..\\..\\x.npz", "\u2215x.npz", "a\0.npz"]
)
def test_a_files_name_names_no_place(house: House, filename: str) -> None:
    answer = upload(house, b"PK\x03\x04", filename)
    assert answer.status == 422, answer.text
    assert "/etc" not in answer.text


def test_a_good_file_still_passes(house: House) -> None:
    told = json.loads(upload(house, write_motion(walker(), "npz")).body)
    assert told["status"] in ("corrected", "unchanged", "rejected")
    if told["id"]:
        for form in ("npz", "bvh"):
            assert house.ask("GET", f"{PREFIX}/corrections/{told['id']}/motion.{form}", role="viewer").status == 200
    for path in (house.home / "cache" / "corrections").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        MARK,
        MARK + b"--\r\n",
        b"no form at all",
        MARK + b"\r\n\r\n\r\n" + MARK + b"--",
        part("file", b"x"),
        part("file", b"x", "a.bvh"),
        part("file", b"x", "a.bvh") * 3 + MARK + b"--\r\n",
        MARK * 5000,
        part("corrector", b"x" * 100_000) + MARK + b"--\r\n",
        part("x", b"y") * 2000 + MARK + b"--\r\n",
        part("file", b"x", "a" * 50_000 + ".bvh") + MARK + b"--\r\n",
        MARK + b"\r\nContent-Disposition: form-data; name=" + b"\xff" * 100 + b"\r\n\r\n\r\n" + MARK + b"--\r\n",
    ],
)
def test_forms_that_are_none(house: House, body: bytes) -> None:
    answer = house.ask("POST", f"{PREFIX}/correct", body, role="runner", content_type=FORM)
    assert answer.status in (400, 413, 422), answer.text[:200]
    assert "Traceback" not in answer.text


def head(house: House, path: str, *lines: str) -> bytes:
    fixed = (
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{house.port}",
        f"Authorization: Bearer {house.tokens['runner']}",
        "Connection: close",
    )
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 99999999999999999999",),
        ("Content-Length: -5",),
        ("Content-Length: 1e3",),
        ("Content-Length: 5", "Content-Length: 500"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: chunked, chunked",),
        ("Content-Length: \u0665",),
        (f"Content-Length: {10**9}",),
        ("X: " + "y" * 200_000,),
    ],
)
def test_lengths_that_lie(house: House, lines: tuple[str, ...]) -> None:
    found = house.raw(head(house, f"{PREFIX}/correct", "Content-Type: application/json", *lines) + b"{}\r\n")
    assert not found or found.split(b" ", 2)[1] in (b"400", b"408", b"411", b"413", b"422", b"431", b"501"), found[:200]
    assert house.ask("GET", f"{PREFIX}/me", role="viewer").status == 200, "the server goes on"


def test_a_body_without_end_is_cut(house: House) -> None:
    """Chunks that never stop are refused at the limit, not gathered."""
    start = head(house, f"{PREFIX}/loops", "Content-Type: application/json", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    found = house.raw(start + chunk * 20 + b"0\r\n\r\n")
    assert not found or b" 413 " in found.split(b"\r\n", 1)[0], found[:200]
    assert house.ask("GET", f"{PREFIX}/me", role="viewer").status == 200


def test_many_slow_askers_do_not_stop_the_others(house: House) -> None:
    ended = threading.Event()

    def linger() -> None:
        import socket

        with socket.create_connection(("127.0.0.1", house.port), timeout=30) as connection:
            connection.sendall(
                head(house, f"{PREFIX}/loops", "Content-Type: application/json", "Content-Length: 50") + b"{"
            )
            ended.wait(20)

    threads = [threading.Thread(target=linger, daemon=True) for _ in range(60)]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    assert house.ask("GET", f"{PREFIX}/me", role="viewer").status == 200
    assert time.monotonic() - started < 20, "no waiting for the slow ones"
    ended.set()
    for thread in threads:
        thread.join(30)
