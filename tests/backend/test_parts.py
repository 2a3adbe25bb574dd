from typing import Any

import pytest

from backend import parts
from core.config import EvaluationConfig, LoopConfig, Options, PartConfig
from core.errors import InvalidConfig, UnknownPart
from core.memory import MemoryMemo, MemoryShelf
from core.protocols import COST_S, Corrector, Part, cost_of
from tests.backend.toys import ToyClipOptions, toy_config
from tests.core.toy import Clip


def test_every_entry_of_the_catalogue_is_a_part_with_a_form() -> None:
    found = parts.catalogue()
    assert set(found) == {"policy", "corrector", "data", "model", "domain"}
    for registry in found.values():
        for entry in registry.values():
            assert isinstance(entry, Part)
            assert issubclass(entry.options, Options)
            assert entry.title
            assert entry.options.model_json_schema()["type"] == "object"


def test_check_fills_in_defaults_and_is_idempotent() -> None:
    checked = parts.check(toy_config(policy="augment", corrector="clip"))
    assert checked.policy.options == {"lam": 1.0, "source": "newest", "synthetic_cap": 1.0}
    assert checked.corrector.options == ToyClipOptions().model_dump()
    assert parts.check(checked) == checked
    assert parts.check(LoopConfig()).model.options  # the default config is one


@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"domain": "music"}, "domain", "toy"),
        ({"policy": PartConfig(kind="forget")}, "policy.kind", "replace"),
        ({"corrector": PartConfig(kind="magic")}, "corrector.kind", "clip"),
        ({"data": PartConfig(kind="magic")}, "data.kind", "numbers"),
        ({"model": PartConfig(kind="magic")}, "model.kind", "toy"),
        ({"corrector": PartConfig(kind="clip", options={"limit": -1})}, "corrector.options.limit", "more than 0"),
        ({"corrector": PartConfig(kind="clip", options={"speed": 1})}, "corrector.options.speed", "limit"),
        ({"policy": PartConfig(kind="augment", options={"lam": "much"})}, "policy.options.lam", "much"),
        ({"policy": PartConfig(kind="augment", options={"lam": 0.0})}, "policy.options", "lambda"),
        (
            {"evaluation": EvaluationConfig(panel_corrector=PartConfig(kind="magic"))},
            "evaluation.panel_corrector.kind",
            "clip",
        ),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(InvalidConfig) as found:
        parts.check(toy_config().model_copy(update=changes))
    assert found.value.field == field
    assert word in str(found.value)
    assert isinstance(found.value, UnknownPart) == field.endswith(("kind", "domain"))


def test_a_run_has_a_corrector_only_where_one_corrects() -> None:
    memo = MemoryMemo()
    raw = parts.build_run(toy_config(), shelf=MemoryShelf(), memo=memo)
    corrected = parts.build_run(toy_config(corrector="clip"), shelf=MemoryShelf(), memo=memo)
    assert raw.corrector is None
    assert corrected.corrector is not None
    assert corrected.corrector.splittable
    assert raw.domain is corrected.domain  # kept by the process
    assert raw.policy.synthetic_count(96) == 96
    other = parts.build_run(toy_config(pause_s=0.5), shelf=MemoryShelf(), memo=memo)
    assert other.domain is not raw.domain


def test_correctors_are_built_when_they_are_asked() -> None:
    built: list[int] = []

    def build() -> Corrector:
        built.append(1)
        return Clip(1.0)

    lazy = parts.LazyCorrector(build)
    assert built == []
    assert lazy.splittable
    assert built == [1]
    assert cost_of(lazy) == cost_of(Clip(1.0)) == COST_S


def test_what_was_built_over_a_memo_that_is_gone_is_never_given_to_another() -> None:
    """Memory of what is gone is used again, and so is its id."""
    kept, seen = parts._Kept(4), set()
    for number in range(4):
        memo = MemoryMemo()
        assert kept.get("key", memo, lambda number=number: number) == number  # type: ignore[misc]
        seen.add(id(memo))
        del memo
    assert len(seen) == 4
