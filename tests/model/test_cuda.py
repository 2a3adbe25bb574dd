"""What only an accelerator can show; skipped where there is none. The laws themselves are tested on the CPU."""

import numpy as np
import pytest
import torch

from core.config import LoopConfig, with_changes
from core.errors import MemoryExhausted
from core.memory import MemoryMemo
from model.domains import build_motion

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

SMALL = {
    "n": 64, "training.initial_steps": 40, "training.deterministic": True,
    "model": {"kind": "transformer", "options": {"width": 64, "layers": 2}},
}  # fmt: skip


def fitted(**changes: object) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    config = with_changes(LoopConfig(), SMALL | changes)
    domain = build_motion(config, MemoryMemo(), "cuda")
    made = domain.generator().fit(
        domain.real(config.n), start=None, scratch=False, steps=config.training.initial_steps, seed=0
    )
    samples = domain.generator().sample(made, np.zeros(8, np.int64), guidance=2.5, seed=0)
    assert np.isfinite(samples.root_position_m).all()
    return dict(made.arrays), dict(made.pace)


def test_the_same_config_gives_the_same_weights() -> None:
    (one, pace), (other, _) = fitted(), fitted()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert pace["peak_memory_mb"] > 0 and pace["steps_per_s"] > 0


def test_what_was_compiled_serves_the_next_network_of_the_same_shape() -> None:
    from torch._dynamo.utils import counters

    fitted(**{"training.compile": "on"})
    graphs = counters["stats"]["unique_graphs"]
    fitted(**{"training.compile": "on"})
    assert graphs > 0 and counters["stats"]["unique_graphs"] == graphs


def test_memory_for_less_than_half_a_batch_ends_training_in_words() -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-3)
    try:
        with pytest.raises(MemoryExhausted, match="step 0"):
            fitted(**{"training.batch_size": 8192, "model.options.width": 1024, "model.options.layers": 8})
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
