"""Speed and quality of the motion model against a plain textbook version of itself, in the same run.

    python -m benchmarks.model [--json] [--model latent-mlp|transformer] [--size default|mdm] [--cmu PATH]

Same network, data, batch, learning rates and number of training steps on both sides; the reference
(benchmarks/_plainmodel.py) is fp32 with explicit softmax and samples by 1000-step DDPM with two passes. Ratios are the
result; absolute numbers belong to the machine. On a CPU one thread, and processor time, which others on the machine
disturb less; on a GPU wall time, and the share of the matrix product's measured peak that training reaches.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (the number of threads is read at import)
import torch  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from benchmarks import _plainmodel as plain  # noqa: E402
from core.config import LoopConfig, with_changes  # noqa: E402
from core.errors import LoopscopeError  # noqa: E402
from core.memory import MemoryMemo  # noqa: E402
from core.motion import MotionBatch  # noqa: E402
from core.protocols import Evaluator  # noqa: E402
from core.records import Item  # noqa: E402
from model.denoisers import MODELS  # noqa: E402
from model.devices import forget_peak, peak_memory_mb, pick_device  # noqa: E402
from model.domains import build_motion  # noqa: E402
from model.generator import MotionGenerator  # noqa: E402

ROUNDS = 3
PEAK_SIDE = 4096  # of the square matrices whose product is the peak
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "default": {kind: {} for kind in MODELS},
    "mdm": {"transformer": {"width": 512, "layers": 8, "heads": 4, "patch": 1, "dropout": 0.1}},
}
"""Options of each model by size; MDM as in Tevet et al. 2023."""


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Processor time on a CPU, wall time with the work finished on a GPU."""
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    began = clock()
    work()
    if on_gpu:
        torch.cuda.synchronize(device)
    return clock() - began


def in_turn(device: torch.device, *works: Callable[[], object]) -> list[float]:
    """Seconds of each work, the fastest of a few rounds in which they take turns."""
    rounds = [[seconds(work, device) for work in works] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def drawings(
    judge: Evaluator, device: torch.device, draw: Callable[[int], MotionBatch]
) -> tuple[float, dict[str, float]]:
    """Seconds of the fastest of a few drawings, and the means of what they measure: one FID alone may be 1 off."""
    drawn: list[MotionBatch] = []
    fastest = min(seconds(lambda: drawn.append(draw(len(drawn))), device) for _ in range(ROUNDS))
    measured = [judge.measure(samples) for samples in drawn]
    return fastest, {name: float(np.mean([m[name] for m in measured])) for name in ("fid", "multimodality")}


def measure(
    config: LoopConfig, device: torch.device, *, timed_steps: int, samples: int, memo: MemoryMemo | None = None
) -> dict[str, Any]:
    """The document of ``--json``, and ``flops_share`` of the measured peak (None on a CPU)."""
    domain = build_motion(config, memo or MemoryMemo(), device.type)
    judge, floor = domain.evaluator(), domain.evaluator().floor(samples)
    generator, real = domain.generator(), domain.real(config.n)
    assert isinstance(generator, MotionGenerator)
    classes, options, guidance = len(domain.class_names), config.training, config.sampling.guidance_evaluation
    labels = np.arange(samples) % classes

    forget_peak(device)
    checkpoint: Item = generator.fit(real, start=None, scratch=False, steps=options.initial_steps, seed=0)
    generator.sample(checkpoint, labels, guidance=guidance, seed=0)
    peak_mb = peak_memory_mb(device)

    representation = generator.representation(checkpoint)
    x, y = torch.from_numpy(representation.encode(real)).to(device), torch.from_numpy(real.labels).to(device)
    wanted = torch.from_numpy(labels).to(device)

    def fresh_reference() -> torch.nn.Module:
        design = MODELS[config.model.kind]
        chosen = design.options.model_validate({**config.model.options, "levels": plain.LEVELS})
        torch.manual_seed(0)
        network: torch.nn.Module = design.build(chosen).network(representation.shape, classes).to(device)
        return network

    def decoded(encoded: torch.Tensor) -> MotionBatch:
        return representation.decode(encoded.cpu().numpy(), real.skeleton, real.fps, labels)

    reference = plain.train(fresh_reference(), x, y, classes, options.initial_steps, options)
    of_training, of_textbook_training = in_turn(
        device,
        lambda: generator.fit(real, start=checkpoint, scratch=True, steps=timed_steps, seed=1),
        lambda: plain.train(fresh_reference(), x, y, classes, timed_steps, options),
    )
    of_sampling, ours = drawings(
        judge, device, lambda seed: generator.sample(checkpoint, labels, guidance=guidance, seed=seed)
    )
    of_textbook_sampling, theirs = drawings(
        judge, device,
        lambda seed: decoded(plain.sample(reference, representation.shape, wanted, classes, guidance, seed)),
    )  # fmt: skip
    return {
        "device": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"cpu, {torch.get_num_threads()} thread",
        "train_steps_per_s": round(timed_steps / of_training, 2),
        "train_ratio": round(of_textbook_training / of_training, 2),
        "motions_per_s": round(samples / of_sampling, 1),
        "sample_ratio": round(of_textbook_sampling / of_sampling, 1),
        "fid": round(ours["fid"], 3),
        "fid_reference": round(theirs["fid"], 3),
        "fid_floor": round(float(np.mean(floor["fid"])), 3),
        "multimodality": round(ours["multimodality"], 3),
        "multimodality_real": round(float(np.mean(floor["multimodality"])), 3),
        "peak_memory_mb": round(peak_mb, 1),
        "flops_share": peak_share(reference, x, y, options.batch_size, timed_steps / of_training),
    }


def peak_share(
    network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, batch: int, steps_per_s: float
) -> float | None:
    """Share of the device's measured bf16 matrix product that training at this pace does; None on a CPU."""
    if x.device.type != "cuda":
        return None
    rows = torch.arange(batch, device=x.device) % len(x)
    with FlopCounterMode(display=False) as counted:
        network.train()(x[rows], torch.zeros_like(rows), y[rows]).square().mean().backward()
    a = torch.randn(PEAK_SIDE, PEAK_SIDE, device=x.device, dtype=torch.bfloat16)
    a @ a
    took = min(seconds(lambda: a @ a, x.device) for _ in range(10))
    return round(float(counted.get_total_flops()) * steps_per_s / (2 * PEAK_SIDE**3 / took), 4)


def config_of(options: argparse.Namespace) -> LoopConfig:
    """What is trained: generation 0 of the default data set, or of a folder with the CMU layout."""
    changes: dict[str, Any] = {
        "n": options.n, "training.initial_steps": options.steps, "sampling.solver": options.solver,
        "sampling.steps": options.sampler_steps, "sampling.guidance_evaluation": options.guidance,
        "model": {"kind": options.model, "options": SIZES[options.size][options.model]},
    }  # fmt: skip
    if options.cmu:
        changes["data"] = {"kind": "npz", "options": {"path": options.cmu}}
    return with_changes(LoopConfig(), changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--model", choices=list(MODELS), default="latent-mlp")
    parser.add_argument("--size", choices=list(SIZES), default="default", help="mdm: 8 layers, 512 wide, 4 heads")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--cmu", default="", help="folder with clips.npz and index.csv, instead of the built-in clips")
    parser.add_argument("--n", type=int, default=256, help="real training windows")
    parser.add_argument("--steps", type=int, default=1000, help="training steps before quality is compared")
    parser.add_argument("--timed-steps", type=int, default=200, help="training steps that are timed")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--guidance", type=float, default=LoopConfig().sampling.guidance_evaluation)
    parser.add_argument("--solver", choices=["ddim", "ddpm", "dpm-solver++"], default="ddim")
    parser.add_argument("--sampler-steps", type=int, default=10)
    options = parser.parse_args()
    if options.model not in SIZES[options.size]:
        parser.error(f"the {options.model} has no size {options.size}")
    if min(options.steps, options.timed_steps) < 1 or options.samples < 16:
        parser.error("at least 1 step and 16 samples are needed")
    torch.set_num_threads(1)
    try:
        device = pick_device(options.device)
        found = measure(config_of(options), device, timed_steps=options.timed_steps, samples=options.samples)
    except LoopscopeError as error:
        sys.exit(f"model: {error}")
    share = found.pop("flops_share")
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:20}{value}")
    if share is not None:
        print(f"{'share of peak':20}{100 * share:.1f} %")


if __name__ == "__main__":
    main()
