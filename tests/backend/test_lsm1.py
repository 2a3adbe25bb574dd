"""LSM1: what is decoded is what the motion's own kinematics and artefacts say, in the layout that the viewer reads."""

import json

import numpy as np
import pytest

from backend.lsm1 import decode, encode
from core.artefacts import tracks_of
from core.body import body_of
from core.errors import InvalidMotion
from core.motion import Motion, batch_of
from corrector.contacts import stance_of
from tests.backend.walker import walker


def test_arrays_are_the_motions_own() -> None:
    motion = walker(11)
    scene = decode(encode(motion, title="Real"))
    positions, rotations = motion.world()
    tracks = tracks_of(motion)
    for name, expected in (
        ("positions", positions),
        ("rotations", rotations),
        ("contact", tracks.contact),
        ("stance", stance_of(batch_of([motion]))[0]),
        ("foot_height", tracks.foot_height_m),
        ("skate", tracks.skate_m_s),
        ("penetration", tracks.penetration_m),
    ):
        assert scene.arrays[name].shape == expected.shape
        assert np.allclose(scene.arrays[name], expected, atol=1e-6)
    assert set(scene.arrays) == {"positions", "rotations", "contact", "stance", "foot_height", "skate", "penetration"}


def test_header_names_body_feet_and_outcome() -> None:
    motion = walker(3)
    header = decode(encode(motion, title="Raw", outcome={"status": "rejected", "reason": "fell"})).header
    assert (header["title"], header["label"], header["status"], header["reason"]) == ("Raw", "walk", "rejected", "fell")
    assert (header["fps"], header["frames"]) == (30.0, 3)
    assert header["parents"] == list(motion.skeleton.parents)
    assert header["feet"] == [{"name": "LeftFoot", "joint": 3}, {"name": "RightFoot", "joint": 6}]
    assert len(header["body"]) == len(body_of(motion.skeleton).primitives)
    assert {part["side"] for part in header["body"]} == {"left", "right", "center"}
    assert decode(encode(motion, title="")).header["status"] is None


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_arrays_begin_at_multiples_of_four(frames: int) -> None:
    data = encode(walker(frames), title="é" * frames)
    length = int.from_bytes(data[4:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert length % 4 == 0 and len(data) % 4 == 0
    assert [entry["offset"] % 4 for entry in header["arrays"]] == [0] * len(header["arrays"])
    last = max(header["arrays"], key=lambda entry: entry["offset"])
    size = int(np.prod(last["shape"])) * (4 if last["dtype"] == "f4" else 1)
    assert len(data) == 8 + length + last["offset"] + -(-size // 4) * 4


def test_tracks_are_sent_where_something_was_simulated() -> None:
    ramp = np.linspace(0, 1, 5)
    sent = {"residual_force_bw": ramp, "residual_torque_nm": 30 * ramp, "tracking_error_m": ramp / 10, "other": ramp}
    arrays = decode(encode(walker(5), title="", tracks=sent)).arrays
    assert np.allclose(arrays["residual_force"], ramp)
    assert np.allclose(arrays["residual_torque"], 30 * ramp)
    assert np.allclose(arrays["tracking_error"], ramp / 10)
    assert "other" not in arrays
    nothing = {name: np.zeros(5) for name in sent}
    assert not {"residual_force", "residual_torque", "tracking_error"} & set(
        decode(encode(walker(5), title="", tracks=nothing)).arrays
    )


def test_tracks_under_their_old_name_or_of_another_length() -> None:
    force = np.linspace(0, 1, 5)
    assert "residual_force" in decode(encode(walker(5), title="", tracks={"residual_force": force})).arrays
    assert "residual_force" not in decode(encode(walker(6), title="", tracks={"residual_force": force})).arrays


def test_a_rejection_names_its_frame() -> None:
    def frame_of(outcome: dict[str, str] | None) -> int | None:
        found: int | None = decode(encode(walker(3), title="", outcome=outcome)).header["rejected_frame"]
        return found

    assert frame_of({"status": "rejected", "reason": "The body fell: in frame 2 it lies."}) == 2
    assert frame_of({"status": "rejected", "reason": "It is too fast."}) is None
    assert frame_of({"status": "corrected", "reason": "lifted in frame 2"}) is None
    assert frame_of(None) is None


def test_long_motions_stay_small() -> None:
    """Bytes grow with positions and rotations; what the strip draws adds a few bytes per frame and foot."""
    motion = walker(10_000)
    joints, feet = motion.skeleton.joint_count, len(motion.skeleton.feet)
    figures = 4 * (3 + 4) * joints
    assert len(encode(motion, title="")) < 10_000 * (figures + feet * (4 + 4 + 1 + 1) + 4) + 10_000


def test_broken_frames_are_passed_on() -> None:
    """A rejected sample may hold NaN; the viewer shows the frame before and says so."""
    motion = walker(4)
    position = motion.root_position_m.copy()
    position[2] = np.nan
    broken = Motion(motion.skeleton, position, motion.local_rotations_wxyz, motion.fps)
    arrays = decode(encode(broken, title="")).arrays
    assert np.isnan(arrays["positions"][2]).all()
    assert np.isfinite(arrays["positions"][[0, 1, 3]]).all()


def test_empty_and_damaged_are_refused() -> None:
    with pytest.raises(InvalidMotion, match="without frames"):
        encode(walker(0), title="")
    data = encode(walker(2), title="")
    for wrong in (b"", b"LSM", b"NPZ1" + data[4:], data[:40], data[:-4]):
        with pytest.raises(InvalidMotion, match="LSM1"):
            decode(wrong)
