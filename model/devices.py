"""What networks run on, and how: device, precision, compilation, repeatability, memory."""

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from core.config import TrainingConfig
from core.errors import InvalidConfig

COMPILED_FROM_STEPS = 2000  # of generation 0: compiling takes about a minute, which shorter training does not win back

Batch = tuple[Tensor, ...]
"""What one step learns from: tensors whose first axis is the batch's rows."""


def pick_device(device: str) -> torch.device:
    """``auto`` is cuda where there is one.

    Raises:
        InvalidConfig: where cuda is asked for and there is none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidConfig("No CUDA device is available.", "Choose the device auto or cpu.", "device")
    return torch.device(device)


def autocast(options: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    """The precision of a training step. Weights, EMA and optimizer stay fp32, and so does drawing."""
    bf16 = options.precision == "bf16"
    if options.precision == "auto":
        bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16) if bf16 else nullcontext()


def pays_to_compile(options: TrainingConfig, device: torch.device) -> bool:
    """Whether the network is compiled: not on a CPU by itself, where it was measured not to pay at this size.

    It is the loop's choice, the same in all its generations: what was compiled for generation 0 serves the later ones,
    however short, and a worker that starts anew in the midst of a loop does as the one before it did.
    """
    if options.compile == "auto":
        return device.type == "cuda" and options.initial_steps >= COMPILED_FROM_STEPS
    return options.compile == "on"


@contextmanager
def repeatable(wanted: bool) -> Iterator[None]:
    """Within, an accelerator uses only algorithms that give the same bits each time."""
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS wants to be told before it is first used
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def own_chance(seed: int, device: torch.device) -> Iterator[None]:
    """Within, torch's global random state (first weights, dropout) is that of the seed; nobody else's is used up."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def source_of(seed: int, device: torch.device) -> torch.Generator:
    """Where the draws of training come from, on the device that needs them: a batch's noise of 196 frames takes a CPU
    core 20 to 40 ms. They are the same draws on the same kind of device."""
    return torch.Generator(device).manual_seed(seed)


def forget_peak(device: torch.device) -> None:
    """Peak memory counts from here, where a device can say so."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """Most memory in use since :func:`forget_peak`; on a CPU, of the whole process since it began (resident)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
