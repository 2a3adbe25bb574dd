"""A small valid data set of motion capture as clips.npz and index.csv."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

JOINTS = ["hip", "spine", "lThigh", "lFoot", "rThigh", "rFoot"]


def rows_of(frames: int) -> list[dict[str, Any]]:
    quarter = frames // 4
    return [
        {"split": "train", "action": "walk", "subject": "1", "start": 0, "stop": quarter},
        {"split": "test", "action": "walk", "subject": "2", "start": quarter, "stop": 2 * quarter},
        {"split": "train", "action": "sit", "subject": "1", "start": 2 * quarter, "stop": 3 * quarter},
        {"split": "test", "action": "sit", "subject": "3", "start": 3 * quarter, "stop": frames},
    ]


def write_files(folder: Path, rows: list[dict[str, Any]] | None = None, **changes: Any) -> Path:
    """Two actions of two subjects; keyword arguments replace members, ``rows`` the index."""
    frames = 400
    turn = np.linspace(0, 1, frames)
    quats = np.zeros((frames, len(JOINTS), 4), np.float32)
    quats[..., 0], quats[..., 1] = np.cos(turn / 2)[:, None], np.sin(turn / 2)[:, None]
    arrays: dict[str, Any] = {
        "root_pos": np.stack([turn, np.ones(frames), np.zeros(frames)], axis=1).astype(np.float32),
        "quats": quats,
        "joint_names": np.array(JOINTS),
        "parents": np.array([-1, 0, 0, 2, 0, 4], np.int32),
        "offsets": np.array([[0, 0, 0], [0, 0.4, 0], [0.1, 0, 0], [0, -0.8, 0], [-0.1, 0, 0], [0, -0.8, 0]]),
        "end_names": np.array(["lToeEnd", "rToeEnd"]),
        "end_parents": np.array([3, 5], np.int32),
        "end_offsets": np.array([[0, -0.05, 0.12], [0, -0.05, 0.13]]),
        "fps": np.float32(30.0),
    } | changes
    np.savez(folder / "clips.npz", **{name: value for name, value in arrays.items() if value is not None})
    with (folder / "index.csv").open("w", newline="") as file:
        table = rows if rows is not None else rows_of(frames)
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return folder
