"""Thread counts belong to the experiment: what is set within holds within only."""

import sys
import types

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from core.threads import threads


def blas() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_counts_hold_within_and_are_put_back() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads(), blas()
    with threads(3):
        assert torch.get_num_threads() == 3 and blas() == {3}
        with threads(1):
            assert torch.get_num_threads() == 1 and blas() == {1}
        assert torch.get_num_threads() == 3 and blas() == {3}
    assert (torch.get_num_threads(), blas()) == before


def test_counts_are_put_back_after_an_error() -> None:
    before = blas()
    with pytest.raises(np.linalg.LinAlgError), threads(max(before) + 1):
        np.linalg.inv(np.zeros((2, 2)))
    assert blas() == before


def test_torch_in_the_midst_of_its_import_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    with threads(1):
        assert blas() == {1}
