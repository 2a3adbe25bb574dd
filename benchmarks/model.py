"""Speed of the motion model against a plain textbook version of itself, in the same run.

    python -m benchmarks.model [--json] [--steps 60] [--samples 300]

Same network, batch and schedule on both sides. Textbook training: torch's default optimizer, an EMA over named
parameters in Python. Textbook sampling: ancestral DDPM with all 50 steps, guided by two passes. Textbook decoding: one
window at a time through core.rotations. Ratios are the result; absolute numbers belong to the machine. One thread.
"""

import argparse
import copy
import json
import os
import time
from collections.abc import Callable
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (the number of threads is read at import)
import torch  # noqa: E402

from core import rotations as R  # noqa: E402
from core.config import LoopConfig  # noqa: E402
from core.memory import MemoryMemo  # noqa: E402
from core.motion import MotionBatch  # noqa: E402
from core.records import Item  # noqa: E402
from model.diffusion import STEPS, add_noise, cosine_schedule  # noqa: E402
from model.domains import build_motion  # noqa: E402
from model.generator import MotionGenerator  # noqa: E402
from model.representation import Representation  # noqa: E402

Network = torch.nn.Module


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """CPU seconds of the fastest of a few runs."""
    best = float("inf")
    for _ in range(repeats):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def textbook_training(network: Network, x: torch.Tensor, y: torch.Tensor, classes: int, steps: int, batch: int) -> None:
    average = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-4, foreach=False)
    abar = cosine_schedule()
    for _ in range(steps):
        rows = torch.randint(0, len(x), (batch,))
        t = torch.randint(0, STEPS, (batch,))
        labels = torch.where(torch.rand(batch) < 0.1, torch.tensor(classes), y[rows])
        loss = torch.nn.functional.mse_loss(
            network(add_noise(x[rows], torch.randn(x[rows].shape), t, abar), t, labels), x[rows]
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for (_, follower), (_, weight) in zip(average.named_parameters(), network.named_parameters(), strict=True):
                follower.copy_(0.98 * follower + 0.02 * weight)


@torch.no_grad()
def textbook_sampling(
    network: Network, shape: tuple[int, ...], y: torch.Tensor, classes: int, guidance: float
) -> torch.Tensor:
    """Ancestral sampling from q(x_s | x_t, x_0) (Ho et al. 2020, eq. 7)."""
    abar = torch.cat([torch.ones(1), cosine_schedule()])
    x = torch.randn(len(y), *shape)
    for level in range(STEPS, 0, -1):
        t = torch.full((len(y),), level - 1)
        unconditional = network(x, t, torch.full_like(y, classes))
        x0 = unconditional + guidance * (network(x, t, y) - unconditional)
        alpha, before = abar[level] / abar[level - 1], abar[level - 1]
        mean = (before.sqrt() * (1 - alpha) * x0 + alpha.sqrt() * (1 - before) * x) / (1 - abar[level])
        x = mean + ((1 - before) / (1 - abar[level]) * (1 - alpha)).sqrt() * torch.randn(x.shape)
    return x


def textbook_decoding(representation: Representation, encoded: np.ndarray) -> None:
    for row in encoded:
        flat = (row * representation.spread) @ representation.basis + representation.center
        values = flat.reshape(representation.frames, -1) * representation.scale + representation.mean
        for joint in range(1 + len(representation.joints)):
            R.sixd_to_unitquat(values[:, 3 + 6 * joint : 9 + 6 * joint])


def measure(steps: int, samples: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    config = LoopConfig()
    domain = build_motion(config, MemoryMemo(), "cpu")
    real: MotionBatch = domain.real(config.n)
    generator = domain.generator()
    assert isinstance(generator, MotionGenerator)
    classes, batch = len(domain.class_names), config.training.batch_size
    checkpoint: Item = generator.fit(real, start=None, scratch=False, steps=1, seed=0)
    loaded = generator._load(checkpoint)
    representation, network = loaded.representation, copy.deepcopy(loaded.network)
    x, y = torch.from_numpy(representation.encode(real)), torch.from_numpy(real.labels)
    labels = np.arange(samples) % classes
    drawn = generator.sample(checkpoint, labels, guidance=2.5, seed=0)
    encoded = representation.encode(drawn)
    pairs = {
        "training, steps": (
            steps,
            lambda: generator.fit(real, start=checkpoint, scratch=False, steps=steps, seed=1),
            lambda: textbook_training(network, x, y, classes, steps, batch),
        ),
        "sampling, windows": (
            samples,
            lambda: generator.sample(checkpoint, labels, guidance=2.5, seed=0),
            lambda: textbook_sampling(network, representation.shape, torch.from_numpy(labels), classes, 2.5),
        ),
        "decoding, windows": (
            samples,
            lambda: representation.decode(encoded, real.skeleton, real.fps, labels),
            lambda: textbook_decoding(representation, encoded),
        ),
    }
    found = {}
    for name, (count, ours, textbook) in pairs.items():
        a, b = seconds(ours), seconds(textbook)
        found[name] = {
            "per_cpu_s": round(count / a, 1),
            "textbook_per_cpu_s": round(count / b, 1),
            "ratio": round(b / a, 2),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--samples", type=int, default=300)
    options = parser.parse_args()
    found = measure(options.steps, options.samples)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'':20}{'per CPU s':>12}{'textbook':>12}{'ratio':>8}")
    for name, row in found.items():
        print(f"{name:20}{row['per_cpu_s']:>12}{row['textbook_per_cpu_s']:>12}{row['ratio']:>8}")


if __name__ == "__main__":
    main()
