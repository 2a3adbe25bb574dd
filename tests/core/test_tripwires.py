"""A stop rule is one line: it is read once, says where it is wrong, and is written back the same."""

import math

import pytest

from core.config import LoopConfig, PartConfig, digest, parse, with_changes
from core.errors import InvalidConfig
from core.tripwires import Bound, Budget, Flat, NotARule, NotFinite, OfMetric, Ratio, Tripwire, best_of, parse_tripwire

RULES = [
    ("fid > 60", Tripwire(Bound("fid", ">", 60.0))),
    ("within_class_diversity < 0.5", Tripwire(Bound("within_class_diversity", "<", 0.5))),
    ("fid > 3x generation 0", Tripwire(Ratio("fid", ">", 3.0))),
    ("fid flat for 5", Tripwire(Flat("fid", 5))),
    ("fid not finite", Tripwire(NotFinite("fid"))),
    ("hours > 2", Tripwire(Budget("hours", 2.0))),
    ("disk_gb > 0.25", Tripwire(Budget("disk_gb", 0.25))),
    ("generations > 20, then roll back", Tripwire(Budget("generations", 20.0), roll_back=True)),
    ("std < 1e-09", Tripwire(Bound("std", "<", 1e-9))),
    ("std > 0.12345678901", Tripwire(Bound("std", ">", 0.12345678901))),
]


@pytest.mark.parametrize(("text", "wire"), RULES)
def test_a_rule_is_read_and_written_back(text: str, wire: Tripwire) -> None:
    assert parse_tripwire(text) == wire
    assert str(wire) == text


@pytest.mark.parametrize(
    "text", ["fid>60,then roll back", "  fid  >  60.0 ,  THEN  roll back ", "fid > 6e1, then Roll Back"]
)
def test_blanks_and_case_do_not_matter(text: str) -> None:
    assert str(parse_tripwire(text)) == "fid > 60, then roll back"


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 1, "metric"), ("60 < fid", 1, "metric"), ("fid", 4, "flat for"), ("fid >> 60", 6, "a number"),
        ("fid > nan", 7, "a number"), ("fid > 1e999", 7, "too large"), ("fid > 3x gen 0", 10, "generation 0"),
        ("fid flat for x", 14, "a number"), ("fid flat for 2.5", 14, "whole number"),
        ("fid flat for 0", 14, "whole number"), ("fid not", 8, "finite"), ("hours < 2", 7, ">"),
        ("fid > 60, then stop", 9, "then roll back"), ("fid > 60; import os", 9, "nothing more"),
    ],
)  # fmt: skip
def test_what_is_no_rule_says_where(text: str, position: int, expected: str) -> None:
    with pytest.raises(NotARule, match=f"at position {position}\\b") as caught:
        parse_tripwire(text)
    assert expected in str(caught.value)


def test_a_config_names_the_rule_that_is_wrong() -> None:
    with pytest.raises(InvalidConfig, match="position 6") as caught:
        parse(LoopConfig, {"tripwires": ["fid > 60", "fid >> 60"]})
    assert caught.value.field == "tripwires.1"
    assert "fid flat for 5" in caught.value.hint
    for wrong in (["x" * 201], ["fid > 1"] * 17, "fid > 1", [3]):
        with pytest.raises(InvalidConfig):
            parse(LoopConfig, {"tripwires": wrong})


def test_a_config_keeps_its_rules_in_one_spelling() -> None:
    config = parse(LoopConfig, {"tripwires": ["fid>60.0"]})
    assert config.tripwires == ("fid > 60",)
    assert parse(LoopConfig, config.model_dump(mode="json")) == config
    assert with_changes(LoopConfig(), {"tripwires": ["fid > 60"]}) == config


def test_a_config_without_rules_is_stored_and_told_apart_as_before_there_were_any() -> None:
    plain = LoopConfig()
    assert "tripwires" not in plain.model_dump(mode="json")
    assert digest(plain) == "d518fe66325dd8483bc1a67f"
    other = LoopConfig(policy=PartConfig(kind="augment", options={"lam": 0.5}), seed=3)
    assert digest(other) == "5062971120e01aded3189c18"
    assert digest(plain.model_copy(update={"tripwires": ("fid > 60",)})) != digest(plain)


NAN = float("nan")


@pytest.mark.parametrize(
    ("rule", "values", "fires"),
    [
        ("x > 3", [1, 3, 3.1, 9], 2), ("x < 0", [1, 0, -0.1], 2), ("x > 3", [1, NAN, None], None),
        ("x > 2x generation 0", [4, 8, 8.1], 2), ("x < 0.5x generation 0", [4, 2, 1.9], 2),
        ("x > 0x generation 0", [4], None), ("x > 2x generation 0", [None, 99], None),
        ("x not finite", [1, None], 1), ("x not finite", [1, math.inf], 1), ("x not finite", [1, 2], None),
        ("x flat for 2", [0, 10, 10, 10.05], 3), ("x flat for 2", [0, 10, 10, 10.2], None),
        ("x flat for 3", [0, 10, 10, 10], None), ("x flat for 2", [5, 5, 5], 2),
        ("x flat for 2", [0, 10, None, 10, 10], None),
    ],
)  # fmt: skip
def test_a_rule_fires_at_the_first_generation_that_breaks_it(
    rule: str, values: list[float | None], fires: int | None
) -> None:
    condition = parse_tripwire(rule).condition
    assert isinstance(condition, OfMetric)
    series = dict(enumerate(values))
    assert next((t for t in series if condition.broken(series, t)), None) == fires


def test_a_generation_that_was_not_measured_breaks_nothing() -> None:
    for rule in ("x > 1", "x > 1x generation 0", "x flat for 1", "x not finite"):
        condition = parse_tripwire(rule).condition
        assert isinstance(condition, OfMetric)
        assert condition.broken({0: 1.0}, 3) == ""


def test_what_broke_is_told_with_both_numbers() -> None:
    assert Bound("fid", ">", 60).broken({7: 71.234}, 7) == "fid 71.23 > 60"
    assert Ratio("fid", ">", 3).broken({0: 10.0, 7: 31.0}, 7) == "fid 31 > 30, 3x generation 0"
    assert Budget("hours", 2).overdrawn(2.5) == "hours 2.5 > 2"
    assert Budget("hours", 2).overdrawn(2.0) == ""


def test_the_best_generation_is_by_the_metrics_direction() -> None:
    series = {0: 4.0, 1: 3.0, 2: 3.0, 3: 9.0, 4: None, 5: NAN}
    assert best_of(series, "lower", None) == 1
    assert best_of(series, "higher", None) == 3
    assert best_of(series, "real", 8.0) == 3
    assert best_of(series, "real", None) == 0, "without the real data's value, generation 0's stands for it"
    assert best_of({0: None}, "lower", None) is None
