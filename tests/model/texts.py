"""A text domain small enough for tests, and a world without a network."""

import socket
from typing import Any

import pytest
import torch

from backend.parts import build_run, check, read_config
from core.config import LoopConfig, with_changes
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.records import GenerationRecord, Item
from model.domains.text import TextDomain, build_text
from model.text import judge as judge_module

CPU = torch.device("cpu")
TINY: dict[str, Any] = {
    "n": 40,
    "generations": 2,
    "data.options": {"length": 16, "vocabulary": 128},
    "model.options": {"width": 16, "layers": 1, "heads": 2, "prompt": 4},
    "training.initial_steps": 30,
    "training.steps": 5,
    "training.batch_size": 8,
    "evaluation.samples": 20,
    "evaluation.panel": 3,
}


def config(**changes: Any) -> LoopConfig:
    return with_changes(read_config({"domain": "text"}), {**TINY, **changes})


def tiny(**changes: Any) -> TextDomain:
    return build_text(config(**changes), MemoryMemo(), "cpu")


def records(chosen: LoopConfig, shelf: MemoryShelf, memo: MemoryMemo | None = None) -> list[GenerationRecord]:
    return list(run_loop(build_run(check(chosen), shelf=shelf, memo=memo or MemoryMemo(), device="cpu")))


def trained(domain: TextDomain, steps: int = 10) -> Item:
    return domain.generator().fit(domain.real(40), start=None, scratch=False, steps=steps, seed=1)


@pytest.fixture
def quick_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "MOST_HELD_OUT", 64)


@pytest.fixture
def no_net(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise AssertionError(f"the network was asked for {args}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
