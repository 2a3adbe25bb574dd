"""What was tampered with, cut, or never a backup does not come back at all."""

import hashlib
import io
import json
import re
import shutil
import tarfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.context import Backend
from backend.keeping.archive import BadBackup
from backend.keeping.backup import backup
from backend.keeping.restore import restore
from tests.backend.keeping.conftest import Install
from tests.backend.keeping.sources import nothing_in_memory, rows, source
from tests.backend.lightloops import light

__all__ = ["light", "nothing_in_memory", "source"]


def refused(path: Path, backend: Backend) -> str:
    """The sentence with which a file is refused, leaving no row and no file."""
    with pytest.raises(BadBackup) as caught:
        restore(path, backend)
    assert all(not found for found in rows(backend).values())
    assert not (backend.settings.home / "artifacts").exists()
    assert not list((backend.settings.home / "memo").glob("*")) if (backend.settings.home / "memo").exists() else True
    return str(caught.value)


def test_any_flipped_byte_and_any_cut_is_refused(source: Backend, install: Install, tmp_path: Path) -> None:
    """Not one bit of what is restored can differ from what was saved, wherever the file is touched."""
    backup(source, tmp_path / "good.tar")
    data, back, bad = (tmp_path / "good.tar").read_bytes(), install("back"), tmp_path / "bad.tar"
    for place in range(0, content_end(data), max(1, content_end(data) // 60)):
        touched = bytearray(data)
        touched[place] ^= 0x10
        bad.write_bytes(touched)
        if matters(data, place):
            refused(bad, back)
    for end in (0, 1, 511, 512, 1000, len(data) // 2, content_end(data) - 600):
        bad.write_bytes(data[:end])
        assert "backup" in refused(bad, back)


def content_end(data: bytes) -> int:
    return len(data.rstrip(b"\0"))


def matters(data: bytes, place: int) -> bool:
    """Padding after a member holds nothing."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            start, end = member.offset, member.offset_data + member.size
            if start <= place < end:
                return True
    return False


def rewritten(path: Path, target: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> None:
    """A backup that somebody changed with care: sizes, digests and counts fit again."""
    with tarfile.open(path) as old, tarfile.open(target, "w:", format=tarfile.GNU_FORMAT) as new:
        entries: list[dict[str, Any]] = []
        for member in old:
            stream = old.extractfile(member)
            assert stream is not None
            name, data = change(re.sub("^manifest-.*", "manifest", member.name), stream.read())
            if name == "manifest":
                data = json.dumps(json.loads(data) | {"entries": entries}).encode()
                name = f"manifest-{hashlib.sha256(data).hexdigest()}.json"
            else:
                lines = data.count(b"\n") if name.startswith("tables/") else None
                entries.append(
                    {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": lines}
                )
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))


CHANGES: list[tuple[str, str, bytes, bytes, str]] = [
    ("an id as a path", "tables/loops.jsonl", b'"id":"', b'"id":"../../', "as id"),
    ("a state", "tables/loops.jsonl", b'"state":"done"', b'"state":"eternal"', "unknown state"),
    ("a column", "tables/loops.jsonl", b'"name":', b'"rank":1,"name":', "no column 'rank'"),
    ("a number", "tables/loops.jsonl", b'"priority":0', b'"priority":99999999999', "priority cannot be"),
    ("a kind", "tables/loops.jsonl", b'"priority":0', b'"priority":true', "priority cannot be"),
    ("a config", "tables/loops.jsonl", b'"generations":2', b'"generations":-2', "config of loop"),
    ("a date", "tables/loops.jsonl", b'"created_at":"2', b'"created_at":"x', "no row"),
    ("no number", "tables/metrics.jsonl", b'"value":', b'"value":NaN,"value":', "NaN is no number"),
    ("no JSON", "tables/metrics.jsonl", b"{", b"{{", "no row"),
    ("deep JSON", "tables/loops.jsonl", b'"config":', b'"config":' + b"[" * 100_000, "no row"),
    ("a role", "tables/users.jsonl", b'"admin"', b'"god"', "unknown role"),
    ("an artifact's name", "tables/artifacts.jsonl", b'"digest":"', b'"digest":"/', "cannot be|is named"),
    ("an artifact that is not there", "tables/artifacts.jsonl", b"", b"", "lacks the artifact"),
    ("a row twice", "tables/users.jsonl", b'{"name":"ann"', b'{"name":"bob"', "contradict"),
    ("an owner of nothing", "tables/events.jsonl", b'"loop_id":"', b'"loop_id":"f', "contradict"),
    ("a later table", "tables/users.jsonl", b"", b"", "not known here"),
    ("a later version", "manifest", b'"migration":"', b'"migration":"9', "Update Loopscope"),
    ("another form", "manifest", b"loopscope-backup-1", b"loopscope-backup-9", "form that is not known"),
]


def test_what_loopscope_would_not_write_is_refused(source: Backend, install: Install, tmp_path: Path) -> None:
    backup(source, tmp_path / "good.tar")
    back = install("back")
    for title, member, old, new, sentence in CHANGES:

        def edit(name: str, data: bytes) -> tuple[str, bytes]:
            if name != member:  # noqa: B023
                return name, data
            if title == "a later table":  # noqa: B023
                return "tables/later.jsonl", data
            if title == "an artifact that is not there":  # noqa: B023
                return name, data.replace(json.loads(data.splitlines()[0])["digest"].encode(), b"f" * 64)
            assert old in data, title  # noqa: B023
            return name, data.replace(old, new, 1)  # noqa: B023

        rewritten(tmp_path / "good.tar", tmp_path / "bad.tar", edit)
        with pytest.raises(BadBackup) as caught:
            restore(tmp_path / "bad.tar", back)
        assert re.search(sentence, str(caught.value)), (title, str(caught.value))
        assert all(not found for found in rows(back).values()), title
    rewritten(tmp_path / "good.tar", tmp_path / "same.tar", lambda name, data: (name, data))
    assert restore(tmp_path / "same.tar", back).loops == 3


@pytest.mark.parametrize("kind", ["symlink", "outside", "folder", "device", "sparse"])
def test_members_that_no_backup_has(install: Install, tmp_path: Path, kind: str) -> None:
    path, back = tmp_path / "bad.tar", install("back")
    with tarfile.open(path, "w:", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("tables/loops.jsonl" if kind != "outside" else "../outside")
        info.type = {
            "symlink": tarfile.SYMTYPE, "folder": tarfile.DIRTYPE, "device": tarfile.CHRTYPE,
            "sparse": tarfile.GNUTYPE_SPARSE,
        }.get(kind, tarfile.REGTYPE)  # fmt: skip
        info.linkname = "/etc/passwd" if kind == "symlink" else ""
        tar.addfile(info)
    assert "no backup of Loopscope" in refused(path, back)
    assert not (tmp_path / "outside").exists()


def test_files_that_are_none(install: Install, tmp_path: Path) -> None:
    back = install("back")
    for name, data in (("zip", b"PK\x03\x04" + bytes(600)), ("text", b"hello " * 200), ("zeros", bytes(10_240))):
        path = tmp_path / name
        path.write_bytes(data)
        assert "backup" in refused(path, back)
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(BadBackup, match="no file|folder"):
            restore(path, back)


def test_a_header_that_promises_more_than_there_is(install: Install, tmp_path: Path) -> None:
    info = tarfile.TarInfo("tables/loops.jsonl")
    info.size = 1 << 40
    (tmp_path / "huge.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    assert "cut off within tables/loops.jsonl" in refused(tmp_path / "huge.tar", install("back"))


def test_too_much_for_the_disk(
    source: Backend, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(source, tmp_path / "b.tar")
    back = install("back")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    assert "are free in" in refused(tmp_path / "b.tar", back)
