"""The motion model against a plain textbook version of itself, trained and sampled in the same run: speed, memory, and
what the samples are worth.

    python -m benchmarks.model [--json] [--model latent-mlp] [--device auto] [--cmu FOLDER] [--n 256] [--steps 1000]
        [--samples 300]

Network, data, batch, learning rate and number of steps are the same on both sides (see benchmarks/_textbook.py); each
side draws as it does by default, ours with the configured sampler. Rates are per CPU second of one thread on a CPU, and
by the clock on a GPU, where compiling counts. Ratios are the result; absolute numbers belong to the machine.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeVar

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (the number of threads is read at import)
import torch  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from app.console import print_table, print_text  # noqa: E402
from benchmarks import _textbook as textbook  # noqa: E402
from core.config import LoopConfig, PartConfig  # noqa: E402
from core.memory import MemoryMemo  # noqa: E402
from core.motion import MotionBatch  # noqa: E402
from model.denoisers import MODELS  # noqa: E402
from model.denoisers.registry import Design  # noqa: E402
from model.devices import autocast, pick_device  # noqa: E402
from model.domains import build_motion  # noqa: E402
from model.domains.parts import part_of  # noqa: E402
from model.evaluator import MotionEvaluator  # noqa: E402
from model.learning import below  # noqa: E402
from model.representation import Representation  # noqa: E402

SIZES: dict[str, PartConfig] = {
    "latent-mlp": PartConfig(kind="latent-mlp"),
    "transformer": PartConfig(kind="transformer"),
    "mdm": PartConfig(
        kind="transformer",
        options={"width": 512, "layers": 8, "heads": 4, "patch": 1, "dropout": 0.1},
    ),
}
"""What can be measured; mdm is the size of Tevet et al. 2023."""

MATMUL = {"cpu": 1024, "cuda": 8192}  # rows and columns of the product that a device's peak is measured with
FoundT = TypeVar("FoundT")


@dataclass(frozen=True)
class Measured:
    """The benchmark's document. Ratios are ours to the textbook's; FID at equal n, lower is better.

    Attributes:
        fid_floor, multimodality_real: of other held-out windows, as many as samples.
        peak_memory_mb: of our training; on a CPU of the whole process, as it is resident.
    """

    device: str
    train_steps_per_s: float
    train_ratio: float
    motions_per_s: float
    sample_ratio: float
    fid: float
    fid_reference: float
    fid_floor: float
    multimodality: float
    multimodality_real: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Beside:
    """What helps to read the document.

    Attributes:
        share, share_reference: of the device's measured matmul peak, while training.
        fid_training: of the real windows that both sides learn from, which may be of other subjects than held-out ones:
            a model that learns them faithfully is as far off.
    """

    share: float
    share_reference: float
    fid_training: float


def measure(config: LoopConfig, device: str) -> tuple[Measured, Beside]:
    """Both sides, generation 0 of ``config``.

    Raises:
        InvalidConfig, DataMissing: as :func:`model.domains.build_motion`.
    """
    torch.set_num_threads(1)
    where, memo = pick_device(device), MemoryMemo()
    domain = build_motion(config, memo, device)
    real: MotionBatch = domain.real(config.n)
    classes, count = len(domain.class_names), config.evaluation.samples
    training, guidance, seed = config.training, config.sampling.guidance_evaluation, config.seed
    labels = np.arange(count) % classes

    generator = domain.generator()
    first = generator.fit(real, start=None, scratch=False, steps=1, seed=seed)  # the representation is not timed
    ours_s, trained = timed(
        lambda: generator.fit(real, start=first, scratch=True, steps=training.initial_steps, seed=seed), where
    )
    ours_drawn_s, ours = timed(lambda: generator.sample(trained, labels, guidance=guidance, seed=seed), where, 3)

    representation = Representation.from_arrays(below(first.arrays, "representation"))
    network = thousand_levels(config).network(representation.shape, classes).to(where)
    x = torch.from_numpy(np.ascontiguousarray(representation.encode(real))).to(where)
    y, asked = torch.from_numpy(real.labels).to(where), torch.from_numpy(labels).to(where)
    plain_s, average = timed(lambda: textbook.train(network, x, y, classes, training, seed), where)

    def draw_plainly() -> MotionBatch:
        found = textbook.sample(average, representation.shape, asked, classes, guidance, seed)
        return representation.decode(found.cpu().numpy(), real.skeleton, real.fps, labels)

    plain_drawn_s, plain = timed(draw_plainly, where)

    evaluator = MotionEvaluator(domain.dataset, memo)
    of_ours, of_plain, floor = evaluator.measure(ours), evaluator.measure(plain), evaluator.floor(count)
    flops, peak = flops_of_step(network, x[: training.batch_size], classes), matmul_peak(config, where)
    found = Measured(
        device=torch.cuda.get_device_name(where) if where.type == "cuda" else f"{torch.get_num_threads()} CPU thread",
        train_steps_per_s=training.initial_steps / ours_s,
        train_ratio=plain_s / ours_s,
        motions_per_s=count / ours_drawn_s,
        sample_ratio=plain_drawn_s / ours_drawn_s,
        fid=of_ours["fid"],
        fid_reference=of_plain["fid"],
        fid_floor=float(np.mean(floor["fid"])),
        multimodality=of_ours["multimodality"],
        multimodality_real=float(np.mean(floor["multimodality"])),
        peak_memory_mb=trained.pace["peak_memory_mb"],
    )
    share, of_textbook = (flops * training.initial_steps / (seconds * peak) for seconds in (ours_s, plain_s))
    return found, Beside(share, of_textbook, evaluator.measure(domain.real(count))["fid"])


def thousand_levels(config: LoopConfig) -> Design:
    """The configured network with the textbook's levels of noise."""
    options = {**config.model.options, "levels": textbook.LEVELS}
    found: Design = part_of(MODELS, "model", PartConfig(kind=config.model.kind, options=options), "model")()
    return found


def timed(work: Callable[[], FoundT], device: torch.device, repeats: int = 1) -> tuple[float, FoundT]:
    """Seconds of the fastest of a few runs, and what the last one gave."""
    best = float("inf")
    for _ in range(repeats):
        began = now(device)
        found = work()
        best = min(best, now(device) - began)
    return best, found


def now(device: torch.device) -> float:
    """CPU seconds of this process, or the clock once a GPU has done what it was given."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def flops_of_step(network: torch.nn.Module, x: torch.Tensor, classes: int) -> int:
    """Floating-point operations of a batch x (N, ...), there and back."""
    t, y = torch.zeros(len(x), dtype=torch.long, device=x.device), torch.full((len(x),), classes, device=x.device)
    with FlopCounterMode(display=False) as counter, textbook.plain_attention():
        network(x, t, y).sum().backward()
    return int(counter.get_total_flops())


def matmul_peak(config: LoopConfig, device: torch.device) -> float:
    """Floating-point operations per second of a large product in the precision that we train with."""
    size = MATMUL[device.type]
    a = torch.randn(size, size, device=device)
    with autocast(config.training, device):
        a = a.to((a[:8] @ a).dtype)
        seconds, _ = timed(lambda: a @ a, device, 5)
    return 2 * size**3 / seconds


def print_report(found: Measured, beside: Beside, config: LoopConfig) -> None:
    size = config.evaluation.samples
    print_table(
        ("", "ours", "textbook", "ratio", "real"),
        [
            ("training, steps/s", *_rates(found.train_steps_per_s, found.train_ratio)),
            ("share of matmul peak", f"{beside.share:.1%}", f"{beside.share_reference:.1%}"),
            ("sampling, motions/s", *_rates(found.motions_per_s, found.sample_ratio)),
            (f"FID, n = {size}", f"{found.fid:.2f}", f"{found.fid_reference:.2f}", "", f"{found.fid_floor:.2f}"),
            ("within-class diversity", f"{found.multimodality:.2f}", "", "", f"{found.multimodality_real:.2f}"),
            ("peak memory, MB", f"{found.peak_memory_mb:,.0f}"),
        ],
        title=f"{config.model.kind}, {config.training.initial_steps} steps, on {found.device}",
    )
    print_text(f"Real: held-out windows, as many, against others. Training windows: FID {beside.fid_training:.2f}.")


def _rates(ours: float, ratio: float) -> tuple[str, str, str]:
    return f"{ours:,.1f}", f"{ours / ratio:,.1f}", f"{ratio:.2f}"


def rounded(found: Measured) -> dict[str, str | float]:
    return {name: value if isinstance(value, str) else round(value, 3) for name, value in asdict(found).items()}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(field.name for field in fields(Measured))
    parser.add_argument("--json", action="store_true", help=f"one JSON document on stdout: {names}")
    parser.add_argument("--model", choices=SIZES, help="latent-mlp on a CPU and mdm on a GPU, unless said otherwise")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--cmu", default="", metavar="FOLDER", help="clips.npz and index.csv, instead of DeepMimic")
    parser.add_argument("--n", type=int, default=256, help="real training windows")
    parser.add_argument("--steps", type=int, default=1000, help="training steps of each side")
    parser.add_argument("--samples", type=int, default=300, help="motions drawn by each side")
    options = parser.parse_args(words)
    if options.cmu and not Path(options.cmu).is_dir():
        parser.error(f"There is no folder {options.cmu}.")
    if options.n < 16 or options.steps < 1 or options.samples < 16:
        parser.error("--n and --samples are 16 or more, --steps is 1 or more.")
    size = options.model or ("mdm" if pick_device(options.device).type == "cuda" else "latent-mlp")
    data = PartConfig(kind="npz", options={"path": options.cmu}) if options.cmu else PartConfig(kind="deepmimic")
    plain = LoopConfig(data=data, n=options.n, model=SIZES[size])
    config = plain.model_copy(
        update={
            "training": plain.training.model_copy(update={"initial_steps": options.steps}),
            "evaluation": plain.evaluation.model_copy(update={"samples": options.samples}),
        }
    )
    found, beside = measure(config, options.device)
    if options.json:
        print(json.dumps(rounded(found)))
    else:
        print_report(found, beside, config)


if __name__ == "__main__":
    main()
