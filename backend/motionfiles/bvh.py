"""BVH: text, a hierarchy of joints and one line of channel values per frame.

A joint's rotation is the product of its channels' rotations in the listed order; the root's position channels are its
world position. The parser is our own because the format's variety is wider than any one library accepts (position
channels on joints, one or two rotation channels, names with spaces) and because errors must name the line.
"""

import io
from dataclasses import dataclass, field

import numpy as np

from backend.motionfiles.rest import rooted_at_pelvis, standing
from backend.motionfiles.source import (
    MAX_FRAMES,
    MAX_JOINTS,
    UNIT_M,
    MotionFile,
    Unit,
    check_bones,
    check_names,
    check_rate,
    check_size,
    check_values,
    find_unit,
)
from core import rotations as R
from core.errors import InvalidMotion
from core.motion import Motion
from core.skeleton import Skeleton

Array = R.Array

COMMON_RATES = (120, 60, 30, 25, 24, 50, 100, 240, 90, 72, 48)
MAX_HEAD_LINES = 100_000  # of a hierarchy; 300 joints with ends need some 4,000
MAX_LINES = MAX_HEAD_LINES + 2 * MAX_FRAMES  # what follows stays one piece of text: it is no frame that is read
STRETCH = 1e-3  # a position channel that varies by less than this share of the bone is a constant


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)  # "Xposition", "Zrotation"... in the file's order
    ends: list[list[float]] = field(default_factory=list)  # End Sites


def decode_bvh(data: bytes, name: str, unit: Unit = "auto", max_frames: int = MAX_FRAMES) -> MotionFile:
    """Read a BVH file's bytes.

    Raises:
        InvalidMotion: naming the line or frame that is wrong.
    """
    if b"\0" in data[:4096]:
        raise InvalidMotion(f"{name} is not a BVH file: it holds binary data.")
    text = data.decode("utf-8-sig", errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", MAX_LINES)
    joints, at = _read_hierarchy(lines, name)
    values, fps = _read_frames(lines, at, sum(len(joint.channels) for joint in joints), len(joints), name, max_frames)
    notes: list[str] = []
    position, rotations, offsets = _decode_channels(joints, values, notes)
    names, parents = tuple(joint.name for joint in joints), tuple(joint.parent for joint in joints)
    check_bones(offsets, name)
    ends = [np.array(joint.ends).reshape(-1, 3) for joint in joints]
    check_bones(np.concatenate(ends), name)
    found, note = find_unit(Skeleton(name, names, parents, offsets).stature_m, unit, name)
    scale = UNIT_M[found]
    notes += [note] if note else []
    motion = Motion(Skeleton(name, names, parents, offsets * scale), position * scale, rotations, fps)
    motion, ends = rooted_at_pelvis(motion, [end * scale for end in ends], notes)
    motion, ends = standing(motion, ends, notes)
    return MotionFile(_with_toe_tips(motion, ends), "bvh", found, tuple(notes))


def encode_bvh(motion: Motion) -> bytes:
    """A motion as BVH: metres, ZXY rotations, an End Site on every leaf and toe tip; positions to 1e-6 m.

    Raises:
        InvalidMotion: when it holds NaN or infinite values.
    """
    skeleton = motion.skeleton
    if not (np.isfinite(motion.root_position_m).all() and np.isfinite(motion.local_rotations_wxyz).all()):
        raise InvalidMotion("The motion holds NaN or infinite values; BVH cannot say that.")
    tips = dict(zip(skeleton.feet, skeleton.toe_tips_m, strict=False))
    lines, order = ["HIERARCHY"], [*_depth_first(skeleton)]
    for j, depth in order:
        indent = "\t" * depth
        offset = np.zeros(3) if j == 0 else skeleton.offsets_m[j]
        channels = "3 Zrotation Xrotation Yrotation" if j else (
            "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
        )  # fmt: skip
        lines += [f"{indent}{'JOINT' if j else 'ROOT'} {skeleton.joint_names[j]}", f"{indent}{{"]
        lines += [f"{indent}\tOFFSET {_numbers(offset)}", f"{indent}\tCHANNELS {channels}"]
        if j in tips or not skeleton.children[j]:
            end = np.array(tips.get(j, (0.0, 0.0, 0.0)))
            lines += [f"{indent}\tEnd Site", f"{indent}\t{{", f"{indent}\t\tOFFSET {_numbers(end)}", f"{indent}\t}}"]
        closing = depth - _depth_after(order, j)
        lines += ["\t" * (depth - k) + "}" for k in range(closing + 1)]
    angles = _zxy_degrees(R.normalize(motion.local_rotations_wxyz.astype(np.float64)))[:, [j for j, _ in order]]
    table = np.concatenate([motion.root_position_m, angles.reshape(len(motion), -1)], axis=1)
    out = io.StringIO()
    out.write("\n".join(lines))
    out.write(f"\nMOTION\nFrames: {len(motion)}\nFrame Time: {1 / motion.fps:.10g}\n")
    np.savetxt(out, table, fmt="%.6f")
    return out.getvalue().encode()


def _read_hierarchy(lines: list[str], name: str) -> tuple[list[_Joint], int]:
    """Joints in the file's order (parents first), and the index of the line after ``MOTION``."""
    joints: list[_Joint] = []
    opened: list[int | None] = []  # None stands for an End Site
    pending: int | None = -1  # what the next brace opens; -1 nothing
    for k, line in enumerate(lines[:MAX_HEAD_LINES]):
        words = line.split()
        here = f"{name}, line {k + 1}"
        brace = len(words) > 1 and words[-1] == "{"
        words = words[:-1] if brace else words
        key = words[0].upper() if words else ""
        if key in ("", "HIERARCHY"):
            continue
        if key == "MOTION":
            if opened or not joints:
                raise InvalidMotion(f"{here}: the hierarchy ends with {len(opened)} braces left open.")
            return joints, k + 1
        if key == "ROOT" and joints:
            raise InvalidMotion(f"{here}: a second ROOT; only one body per file can be read.", "Split the file.")
        if key in ("ROOT", "JOINT"):
            if key == "JOINT" and (not opened or opened[-1] is None):
                raise InvalidMotion(f"{here}: a JOINT outside of any joint.")
            parent = opened[-1] if opened else -1
            joints.append(_Joint(" ".join(words[1:]) or f"joint{len(joints)}", -1 if parent is None else parent))
            check_names([joints[-1].name], here)
            if len(joints) > MAX_JOINTS:
                raise InvalidMotion(f"{here}: more than {MAX_JOINTS} joints, which is no body that is read.")
            pending = len(joints) - 1
        elif key == "END":
            if not opened or opened[-1] is None:
                raise InvalidMotion(f"{here}: an End Site outside of any joint.")
            pending = None
        elif key == "OFFSET":
            _take_offset(joints, opened, words[1:], here)
        elif key == "CHANNELS":
            if not opened or opened[-1] is None:
                raise InvalidMotion(f"{here}: CHANNELS outside of any joint.")
            joints[opened[-1]].channels = _channels(words[1:], here)
        elif key == "}":
            if not opened:
                raise InvalidMotion(f"{here}: a closing brace too many.")
            opened.pop()
        elif key != "{":
            raise InvalidMotion(f"{here}: {words[0][:40]!r} is no keyword of a BVH hierarchy.")
        if brace or key == "{":
            if pending == -1:
                raise InvalidMotion(f"{here}: a brace that opens nothing.")
            opened.append(pending)
            pending = -1
    if len(lines) > MAX_HEAD_LINES:
        raise InvalidMotion(f"{name} has no MOTION part in its first {MAX_HEAD_LINES} lines.")
    raise InvalidMotion(f"{name} has no MOTION part: it ends in line {len(lines)}.", "The file may be cut short.")


def _take_offset(joints: list[_Joint], opened: list[int | None], words: list[str], here: str) -> None:
    try:
        offset = [float(word) for word in words]
    except ValueError:
        offset = []
    if len(offset) != 3 or not np.isfinite(offset).all() or not opened:
        raise InvalidMotion(f"{here}: an OFFSET needs three numbers; got {' '.join(words)[:60]!r}.")
    holder = opened[-1]
    if holder is None:
        joints[next(j for j in reversed(opened) if j is not None)].ends.append(offset)
    else:
        joints[holder].offset = offset


def _channels(words: list[str], here: str) -> list[str]:
    channels = [word[:1].upper() + word[1:].lower() for word in words[1:]]
    kinds = {axis + kind for axis in "XYZ" for kind in ("position", "rotation")}
    unknown = [channel for channel in channels if channel not in kinds]
    if unknown:
        raise InvalidMotion(f"{here}: unknown channel {unknown[0][:40]!r}.", f"Known: {', '.join(sorted(kinds))}.")
    if not words or words[0] != str(len(channels)) or len(set(channels)) != len(channels):
        raise InvalidMotion(f"{here}: CHANNELS must give their number, then as many different names.")
    return channels


def _read_frames(
    lines: list[str], at: int, channels: int, joints: int, name: str, max_frames: int
) -> tuple[Array, float]:
    """The table of channel values (T, C) and the frame rate."""
    declared, fps = -1, 0.0
    while at < len(lines) and (declared < 0 or not fps):
        words = lines[at].replace(":", " ").split()
        at += 1
        if not words:
            continue
        try:
            if words[0].lower() == "frames":
                declared = int(words[1])
            elif [word.lower() for word in words[:2]] == ["frame", "time"]:
                fps = _rate(words[2])
            else:
                break
        except (ValueError, IndexError, ZeroDivisionError):
            break
    if declared < 0 or not 0 < fps < 1e5:
        raise InvalidMotion(f"{name}, line {at}: expected 'Frames: <count>' and 'Frame Time: <seconds>' after MOTION.")
    check_size(declared, joints, name, max_frames)
    check_rate(fps, declared, name)
    numbered = [(k + 1, line) for k, line in enumerate(lines[at:], at) if line and not line.isspace()]
    values = np.empty((min(declared, len(numbered)), channels))
    for frame, (number, line) in enumerate(numbered[:declared]):
        words = line.split()
        if len(words) != channels:
            raise InvalidMotion(
                f"{name}, line {number} (frame {frame}): {len(words)} values for the hierarchy's {channels} channels.",
                "The file may be cut short." if frame == len(numbered) - 1 else "",
            )
        try:
            values[frame] = words
        except ValueError:
            raise InvalidMotion(f"{name}, line {number} (frame {frame}): a value is not a number.") from None
    if len(numbered) != declared:
        raise InvalidMotion(
            f"{name} declares {declared} frames and holds {len(numbered)}.",
            "The file may be cut short." if len(numbered) < declared else "Correct the number after 'Frames:'.",
        )
    wrong = np.flatnonzero(~np.isfinite(values).all(1))
    if len(wrong):
        number = numbered[wrong[0]][0]
        raise InvalidMotion(f"{name}, line {number} (frame {wrong[0]}): a value is NaN or infinite.")
    check_values(values, name)
    return values, fps


def _rate(text: str) -> float:
    """Frames per second; files round 1/120 to .00833, so a common rate is taken where the printed digits allow it."""
    seconds = float(text)
    if not np.isfinite((seconds, 1 / seconds)).all():
        raise ValueError("no time between frames")
    mantissa = text.lower().partition("e")[0]
    last_digit = 10.0 ** -len(mantissa.partition(".")[2])
    slack = min(last_digit, 1.5e-3 * seconds) if "e" not in text.lower() else 1e-4 * seconds
    for rate in (*COMMON_RATES, round(1 / seconds)):
        if rate and abs(1 / rate - seconds) <= slack:
            return float(rate)
    return 1 / seconds


def _decode_channels(joints: list[_Joint], values: Array, notes: list[str]) -> tuple[Array, Array, Array]:
    """Root positions (T, 3), local rotations (T, J, 4) and offsets (J, 3), in the file's unit."""
    rotations = np.zeros((len(values), len(joints), 4))
    offsets = np.zeros((len(joints), 3))
    position = np.zeros((len(values), 3))
    stretched = []
    column = 0
    for j, joint in enumerate(joints):
        offsets[j] = joint.offset or [0.0, 0.0, 0.0]
        moved = np.broadcast_to(offsets[j], (len(values), 3)).copy()
        turn = np.broadcast_to(R.IDENTITY_WXYZ, (len(values), 4))
        for channel in joint.channels:
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                moved[:, axis] = values[:, column]
            else:
                vector = np.zeros((len(values), 3))
                vector[:, axis] = np.deg2rad(values[:, column])
                turn = R.multiply(turn, R.rotvec_to_unitquat(vector))
            column += 1
        rotations[:, j] = turn
        if j == 0:
            position = moved
        elif any(channel.endswith("position") for channel in joint.channels) and np.any(moved):
            # They repeat the offset, or (all zero) add nothing to it; a body whose bones change length has no skeleton.
            bone = np.median(moved, axis=0)
            if np.abs(moved - bone).max() > STRETCH * max(float(np.linalg.norm(bone)), 1e-9):
                stretched.append(joint.name)
            offsets[j] = bone
    if stretched:
        notes.append(f"{len(stretched)} bones change length ({stretched[0]}...); their median length was taken.")
    return position, rotations, offsets


def _with_toe_tips(motion: Motion, ends: list[Array]) -> Motion:
    """The same motion with the End Sites of the ankles as toe tips.

    A foot with a toe joint needs none: its sole ends at the ball, and the toes are a part of their own.
    """
    old = motion.skeleton
    tips: list[tuple[float, float, float]] = []
    for foot in old.feet:
        reach = np.linalg.norm(ends[foot], axis=1)
        if old.children[foot] or not len(reach) or reach.max() < 1e-3:
            return motion
        x, y, z = (float(v) for v in ends[foot][int(reach.argmax())])
        tips.append((x, y, z))
    skeleton = Skeleton(old.name, old.joint_names, old.parents, old.offsets_m, old.feet, tuple(tips))
    return Motion(skeleton, motion.root_position_m, motion.local_rotations_wxyz, motion.fps)


def _depth_first(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Joints with their depth in the order in which the file nests them."""
    order, stack = [], [(0, 0)]
    while stack:
        j, depth = stack.pop()
        order.append((j, depth))
        stack += [(child, depth + 1) for child in reversed(skeleton.children[j])]
    return order


def _depth_after(order: list[tuple[int, int]], joint: int) -> int:
    index = next(k for k, (j, _) in enumerate(order) if j == joint)
    return order[index + 1][1] if index + 1 < len(order) else 0


def _zxy_degrees(wxyz: Array) -> Array:
    """Angles (..., 3) in degrees with R = Rz Rx Ry, unwrapped along time; at the pole (x = 90 degrees) y is 0."""
    m = R.unitquat_to_rotmat(wxyz)
    x = np.arcsin(np.clip(m[..., 2, 1], -1.0, 1.0))
    pole = np.hypot(m[..., 0, 1], m[..., 1, 1]) < 1e-7
    z = np.where(pole, np.arctan2(m[..., 1, 0], m[..., 0, 0]), np.arctan2(-m[..., 0, 1], m[..., 1, 1]))
    y = np.where(pole, 0.0, np.arctan2(-m[..., 2, 0], m[..., 2, 2]))
    angles: Array = np.rad2deg(np.unwrap(np.stack([z, x, y], axis=-1), axis=0))
    return angles


def _numbers(vector: Array) -> str:
    return " ".join(f"{value:.6f}" for value in vector)
