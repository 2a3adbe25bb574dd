import numpy as np

from core.rotations import Array
from corrector.takes import FOLDS, folds_of, takes_of


def recordings(count: int, each: int, frames: int = 40, step: float = 0.05) -> tuple[Array, list[int]]:
    """Windows of ``count`` smooth random recordings, ``each`` overlapping ones of every one of them."""
    rng = np.random.default_rng(11)
    windows, takes = [], []
    for take in range(count):
        phase, speed, size = rng.uniform(0, 6, 8), rng.uniform(0.5, 3, 8), rng.uniform(0.5, 2, 8)
        for start in rng.uniform(0, 0.5, each):
            t = start + np.arange(frames)[:, None] * step
            windows.append(size * np.sin(speed * t + phase))
            takes.append(take)
    return np.stack(windows), takes


def test_windows_that_overlap_in_time_are_of_one_take() -> None:
    windows, takes = recordings(6, 4)
    found = takes_of(windows)
    assert len(set(found)) == 6
    assert all((found[i] == found[j]) == (takes[i] == takes[j]) for i in range(24) for j in range(24))


def test_folds_keep_takes_together() -> None:
    take = np.repeat(np.arange(10), 3)
    fold, independent = folds_of(take)
    assert independent == 10
    assert fold.max() < FOLDS
    assert all(len(set(fold[take == k])) == 1 for k in range(10))


def test_a_class_of_one_take_is_split_by_windows() -> None:
    windows, _ = recordings(1, 20)
    assert takes_of(windows).max() == 0
    fold, independent = folds_of(takes_of(windows))
    assert len(set(fold)) == FOLDS
    assert independent == 20


def test_nothing_has_no_takes() -> None:
    none = takes_of(np.zeros((0, 40, 6)))
    assert len(none) == len(folds_of(none)[0]) == 0
