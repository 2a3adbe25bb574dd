"""Files with anything in them: read, or refused with the file's name; never a traceback, a hang or a full memory."""

import io
import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.motionfiles import read_motion, write_motion
from core.errors import DataMissing, InvalidConfig, InvalidMotion
from core.typedpaths import typed_path
from model.datasets.npz import NpzOptions, build
from model.digits.idx import read_idx
from model.text.documents import documents_of
from model.text.folder import pretrained
from tests.backend.walker import walker
from tests.security.effort import tried

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

MOTION = walker(8)
BVH, NPZ = write_motion(MOTION, "bvh"), write_motion(MOTION, "npz")
BODY = MOTION.skeleton.as_dict()
JOINTS = len(BODY["parents"])
TURN = "CHANNELS 3 Zrotation Xrotation Yrotation\n"
ROOT = f"HIERARCHY\nROOT Hips\n{{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition {TURN[11:]}"


def refused(data: bytes, name: str) -> str:
    with pytest.raises(InvalidMotion) as caught:
        read_motion(data, name)
    assert name in str(caught.value), "the file is named"
    assert len(str(caught.value)) < 3000
    return str(caught.value)


def members(**changes: bytes | None) -> bytes:
    """The good file with members replaced (or left out), compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(NPZ)) as good, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        kept = {info.filename.removesuffix(".npy"): good.read(info) for info in good.infolist()}
        for name, content in (kept | changes).items():
            if content is not None:
                archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def repacked(method: int) -> bytes:
    """The good file, packed in another way."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(NPZ)) as good, zipfile.ZipFile(out, "w", method) as archive:
        for info in good.infolist():
            archive.writestr(info.filename, good.read(info))
    return out.getvalue()


def misnamed() -> bytes:
    """The good file, whose directory says that a name is UTF-8 and gives bytes that are not."""
    at = NPZ.index(b"PK\1\2")
    return NPZ[: at + 9] + b"\x08" + NPZ[at + 10 : at + 46] + b"\xff" + NPZ[at + 47 :]


def npy(value: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(value))
    return out.getvalue()


def header(text: str, more: bytes = b"", version: bytes = b"\1\0") -> bytes:
    line = text.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(line)) + line + more


@tried(60, 1500)
@given(at=st.integers(0, len(BVH) - 1), put=st.binary(max_size=12), cut=st.integers(0, 40))
def test_a_damaged_bvh(at: int, put: bytes, cut: int) -> None:
    try:
        read_motion(BVH[:at] + put + BVH[at + cut :], "clip.bvh")
    except InvalidMotion as error:
        assert "clip.bvh" in str(error)


@tried(60, 1500)
@given(at=st.integers(0, len(NPZ) - 1), put=st.binary(max_size=12), cut=st.integers(0, 40))
def test_a_damaged_npz(at: int, put: bytes, cut: int) -> None:
    try:
        read_motion(NPZ[:at] + put + NPZ[at + cut :], "clip.npz")
    except InvalidMotion as error:
        assert "clip.npz" in str(error)


@tried(60, 1500)
@given(
    start=st.sampled_from([b"PK\3\4", b"PK\1\2", b"PK\5\6"]),
    at=st.integers(4, 60),
    put=st.binary(min_size=1, max_size=8),
)
def test_a_damaged_directory_of_an_npz(start: bytes, at: int, put: bytes) -> None:
    """Where an archive says what it holds, and where."""
    here = NPZ.index(start) + at
    try:
        read_motion(NPZ[:here] + put + NPZ[here + len(put) :], "clip.npz")
    except InvalidMotion as error:
        assert "clip.npz" in str(error)


leaf = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-2, JOINTS), st.floats(), st.text(max_size=8), st.just(10**30)
)


@tried(60, 1500)
@given(
    key=st.sampled_from(sorted(BODY)),
    value=leaf | st.lists(leaf, max_size=JOINTS + 1) | st.lists(st.lists(leaf, max_size=4), max_size=JOINTS + 1),
    rest=st.booleans(),
)
def test_a_skeleton_of_anything(key: str, value: Any, rest: bool) -> None:
    if rest and isinstance(value, list) and isinstance(BODY[key], list):
        value = (value + BODY[key])[: len(BODY[key])]
    text = json.dumps(BODY | {key: value})
    try:
        read_motion(members(skeleton=npy(text)), "clip.npz").world()
    except InvalidMotion as error:
        assert "clip.npz" in str(error)


@tried(40, 600)
@given(text=st.text(max_size=120) | st.sampled_from(["(" * 200, "{'descr':'<f8'}", "__import__('os').system('false')"]))
def test_an_array_header_of_anything(text: str) -> None:
    refused(members(root_position_m=header(text, b"\0" * 64)), "clip.npz")


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (ROOT + f"JOINT j\n{{\nOFFSET 0 1 0\n{TURN}" * 5000, "deep.bvh", "more than 300 joints"),
        (ROOT + "JOINT j\n{\nOFFSET 0 1 0\nCHANNELS 0\n}\n" * 100_000, "wide.bvh", "more than 300 joints"),
        (ROOT + "End Site\n{\nOFFSET 0 0 0\n}\n" * 100_000, "ends.bvh", "no MOTION part in its first"),
        ("HIERARCHY" + "\n" * 1_000_000, "empty.bvh", "no MOTION part in its first"),
        (ROOT[:-1] + " Xrotation" * 100_000 + "\n}\n", "channels.bvh", "CHANNELS must give"),
        (ROOT + "}\nMOTION\nFrames: 1000000000\nFrame Time: .03\n0 0 0 0 0 0\n", "frames.bvh", "1000000000 frames"),
        (ROOT + f"}}\nMOTION\nFrames: {'9' * 5000}\nFrame Time: .03\n", "digits.bvh", "line 8"),
        (ROOT + "}\nMOTION\nFrames: 1\nFrame Time: 1e300\n0 0 0 0 0 0\n", "slow.bvh", "frame rate"),
        (ROOT + "}\nMOTION\nFrames: 1\nFrame Time: 1e-320\n0 0 0 0 0 0\n", "fast.bvh", "Frame Time"),
        (ROOT + "}\nMOTION\nFrames: 1\nFrame Time: 1e400\n0 0 0 0 0 0\n", "ever.bvh", "Frame Time"),
        (ROOT + "}\nMOTION\nFrames: 2\nFrame Time: .03\n0 0 0 0 0 0\n1e300 0 0 0 0 0\n", "large.bvh", "frame 1"),
        (ROOT + "}\nMOTION\nFrames: 1\nFrame Time: .03\nnan 0 0 0 0 0\n", "nan.bvh", "frame 0"),
        (
            ROOT.replace("OFFSET 0 0 0", "OFFSET 0 1e300 0") + "}\nMOTION\nFrames: 1\nFrame Time: .03\n0 0 0 0 0 0\n",
            "bone.bvh",
            "joint 0",
        ),
        (ROOT.replace("Hips", "x" * 100_000), "name.bvh", "100000 characters"),
        (ROOT.replace("Hips", "a\u202eb"), "bidi.bvh", "cannot be seen"),
        ("\0" * 100, "nul.bvh", "binary"),
        (ROOT.encode("utf-16"), "wide.bvh", "binary"),
        (members(skeleton=npy("[" * 100_000)), "deep.npz", "skeleton"),
        (members(skeleton=npy(json.dumps(BODY | {"joint_names": ["a\nb"] * JOINTS}))), "lines.npz", "cannot be seen"),
        (repacked(zipfile.ZIP_LZMA), "lzma.npz", "neither stored nor deflated"),
        (repacked(zipfile.ZIP_BZIP2), "bzip2.npz", "neither stored nor deflated"),
        (misnamed(), "names.npz", "damaged"),
        (members(label=npy("x" * 300_000)), "label.npz", "'label' is"),
        (members(label=pickle.dumps({})), "pickle.npz", "no readable array"),
        (members(fps=npy(1e-300)), "slow.npz", "frame rate"),
        (members(fps=npy(np.nan)), "nan.npz", "NaN"),
        (members(root_position_m=npy(np.full((8, 3), 1e300))), "far.npz", "frame 0"),
        (members(root_position_m=npy(np.zeros((8, 3), "M8[s]"))), "time.npz", "must be numbers"),
        (
            members(root_position_m=header("{'descr':'<f8','fortran_order':False,'shape':(1000000000000,3),}")),
            "lie.npz",
            "fewer bytes",
        ),
        (members(root_position_m=header("{'descr':'<f8','fortran_order':False,'shape':(-1,3),}")), "neg.npz", "shape"),
        (
            members(root_position_m=header("{'descr':'|V0','fortran_order':False,'shape':(1000000000000,3),}")),
            "void.npz",
            "nothing",
        ),
        (
            members(root_position_m=header("{'descr':'|O','fortran_order':False,'shape':(1,),}")),
            "object.npz",
            "pickled",
        ),
        (members(**{f"x{k}": b"" for k in range(40)}), "many.npz", "arrays"),
        (members(root_position_m=None), "less.npz", "has no root_position_m"),
    ],
)
def test_what_wants_too_much_is_refused_in_words(data: str | bytes, name: str, words: str) -> None:
    assert words in refused(data.encode() if isinstance(data, str) else data, name)


def test_members_that_nobody_asked_for_are_not_unpacked() -> None:
    assert len(read_motion(members(more=b"no array", **{"../../etc/x": b"\xff"}), "clip.npz")) == 8


@tried(60, 800)
@given(
    data=st.binary(max_size=200), name=st.sampled_from(["clips.npz", "index.csv", "a.gz", "a", "a.txt", "config.json"])
)
def test_data_sets_of_anything(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str) -> None:
    folder = tmp_path_factory.mktemp("data")
    (folder / "clips.npz").write_bytes(NPZ)
    (folder / "index.csv").write_text("split,action,start,stop\ntrain,walk,0,8\ntest,walk,0,8\n")
    (folder / "model.safetensors").write_bytes(b"")
    (folder / name).write_bytes(data)
    for read in (
        lambda: build(NpzOptions(path=str(folder))),
        lambda: read_idx(folder / name, 1),
        lambda: documents_of(str(folder / name)),
        lambda: pretrained(str(folder)),
    ):
        with pytest.raises((DataMissing, InvalidConfig)):
            read()


@pytest.mark.parametrize("data", [repacked(zipfile.ZIP_LZMA), misnamed()])
def test_data_sets_packed_or_named_in_a_way_that_none_is(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "clips.npz").write_bytes(data)
    (tmp_path / "index.csv").write_text("split,action,start,stop\ntrain,walk,0,8\n")
    with pytest.raises(DataMissing, match=r"clips\.npz cannot be read as an npz archive"):
        build(NpzOptions(path=str(tmp_path)))


def test_a_gzipped_bomb_is_not_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr("model.digits.idx.MOST_VALUES", 1000)
    bomb = tmp_path / "train-labels-idx1-ubyte.gz"
    bomb.write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 10_000_000) + bytes(10_000_000)))
    with pytest.raises(DataMissing, match="1001 follow"):
        read_idx(bomb, 1)


@tried(60, 500)
@given(text=st.text(max_size=300) | st.sampled_from(["\0", "~nobody-here/x", "/" * 2000, "x" * 300, "/root/../\n"]))
def test_paths_of_anything(text: str) -> None:
    try:
        assert isinstance(typed_path(text), Path)
    except DataMissing as error:
        assert error.message.endswith(".")
