import pytest

from core.config import LoopConfig, PartConfig, digest, parse, with_changes
from core.errors import InvalidConfig


def test_json_round_trip() -> None:
    config = LoopConfig(policy=PartConfig(kind="augment", options={"lam": 0.5}), seed=3)
    assert parse(LoopConfig, config.model_dump(mode="json")) == config
    assert LoopConfig.model_validate_json(config.model_dump_json()) == config


def test_configs_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        LoopConfig().seed = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"n": 2}, "n"),
        ({"sampling": {"guidance_synthesis": -1}}, "sampling.guidance_synthesis"),
        ({"sampling": {"guidance": 2}}, "sampling.guidance"),
        ({"policy": {}}, "policy.kind"),
        ({"version": 2}, "version"),
        ({"generations": "many"}, "generations"),
        ({"correction": {"where": "everywhere"}}, "correction.where"),
    ],
)
def test_errors_name_field_and_value(data: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse(LoopConfig, data)
    assert caught.value.field == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"n": 2}, "n: must be at least 8 (got 2)."),
        ({"generations": "many"}, "generations: must be a whole number (got 'many')."),
        ({"generations": 2.5}, "generations: must be a whole number (got 2.5)."),
        ({"data": "cmu"}, "data: must be an object, {\"name\": value, ...} (got 'cmu')."),
        ({"policy": {}}, "policy.kind: must be given."),
        ({"training": {"ema_decay": float("nan")}}, "training.ema_decay: must be a number (got nan)."),
        (
            {"correction": {"where": "everywhere"}},
            "correction.where: must be 'loop', 'output' or 'both' (got 'everywhere').",
        ),
    ],
)
def test_errors_are_said_in_plain_words(data: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse(LoopConfig, data)
    assert caught.value.message == words


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("train.steps", "Did you mean 'training'?"),
        ("training.step", "Did you mean 'steps'?"),
        ("correction.zzz", "Options here: where, rejected, attempts."),
    ],
)
def test_a_wrong_path_is_told_what_is_there(path: str, hint: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        with_changes(LoopConfig(), {path: 1})
    assert caught.value.hint == hint


def test_clone_with_edits() -> None:
    clone = with_changes(LoopConfig(), {"sampling.guidance_synthesis": 1.0, "corrector": {"kind": "physics"}})
    assert clone.sampling.guidance_synthesis == 1.0
    assert clone.corrector.kind == "physics"
    assert clone.sampling.guidance_evaluation == LoopConfig().sampling.guidance_evaluation


@pytest.mark.parametrize("path", ["sampling.nothing", "nothing.at.all", "seed.deeper"])
def test_edits_of_nothing_are_refused(path: str) -> None:
    with pytest.raises(InvalidConfig):
        with_changes(LoopConfig(), {path: 1})


def test_arms() -> None:
    assert LoopConfig(policy=PartConfig(kind="real")).arm == "real"
    assert LoopConfig(policy=PartConfig(kind="replace")).arm == "raw"
    assert LoopConfig(corrector=PartConfig(kind="physics")).arm == "corrected"


def test_digest_sees_every_field_and_no_order() -> None:
    assert digest(LoopConfig()) == digest(LoopConfig())
    assert digest(LoopConfig()) != digest(LoopConfig(seed=1))
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
