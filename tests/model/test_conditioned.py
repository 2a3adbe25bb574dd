"""Models that are told a class, a sentence, or nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from backend.parts import build_run, check, read_config
from core.config import LoopConfig, digest, parse, with_changes
from core.errors import InvalidConfig
from core.loop import Run, learn, panel, synthesize
from core.memory import MemoryMemo, MemoryShelf
from core.panel import names_of_samples
from core.protocols import Prompted
from model.conditions import ByText
from model.denoisers import MODELS
from model.denoisers.registry import Design
from tests.core.bodies import random_motion

TINY: dict[str, Any] = {
    "n": 60,
    "generations": 1,
    "model.options": {"width": 32, "layers": 1, "components": 16, "condition": "text", "encoder": "words"},
    "training.initial_steps": 4,
    "training.steps": 2,
    "training.batch_size": 16,
    "sampling.steps": 2,
    "evaluation.panel": 3,
    "evaluation.panel_corrector": {"kind": "none", "options": {}},
}


def run_of(changes: dict[str, Any] | None = None) -> Run:
    config = check(with_changes(LoopConfig(), TINY | (changes or {})))
    return build_run(config, shelf=MemoryShelf(), memo=MemoryMemo(), device="cpu")


@pytest.fixture(scope="module")
def told() -> Run:
    run = run_of({"training.initial_steps": 250, "training.learning_rate": 1e-2})
    learn(run, 0)
    return run


def test_the_default_leaves_configs_and_digests_as_they_were() -> None:
    plain = check(LoopConfig())
    assert not {"condition", "encoder", "path"} & set(plain.model.options)
    assert "prompts" not in plain.model_dump(mode="json")["evaluation"]
    assert digest(plain) == digest(check(with_changes(LoopConfig(), {"model.options.condition": "class"})))


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("condition", ["class", "text", "none"])
def test_every_network_takes_every_condition(kind: str, condition: str) -> None:
    part = MODELS[kind]
    plain = {"width": 32, "layers": 1, "condition": condition, "encoder": "words"}
    design: Design = part.build(parse(part.options, plain))
    shape = (24,) if design.components else (40, 12)
    network = design.network(shape, 5)
    size = design.sentences.width if design.sentences else 0
    y, null = (torch.randn(3, size), 0) if size else (torch.tensor([0, 1, 2]), 5)
    x, t = torch.randn(3, *shape), torch.tensor([0, 10, 40])
    same = torch.allclose(network(x, t, y), network(x, t, torch.full_like(y, null)))
    assert same == (condition == "none")


def test_training_windows_and_samples_carry_captions_of_their_class(told: Run) -> None:
    real, captions = told.domain.real(60), told.domain.captions  # type: ignore[attr-defined]
    assert (real.captions >= 0).all() and len(captions) == 15
    model, labels = told.shelf.load(0, "model"), np.arange(15).repeat(2)
    draws = [told.domain.generator().sample(model, labels, guidance=1.0, seed=s) for s in (1, 1, 2)]
    assert np.array_equal(draws[0].captions, labels) and np.array_equal(draws[0].labels, labels)
    assert np.array_equal(draws[0].root_position_m, draws[1].root_position_m)
    assert not np.array_equal(draws[0].root_position_m, draws[2].root_position_m)


def test_the_seed_chooses_among_the_captions_of_a_class() -> None:
    real = replace(random_motion(4), labels=np.array([0, 0, 0, 1]), captions=np.array([2, 0, 0, -1]))
    conditions = ByText(lambda texts: np.eye(3, dtype=np.float32)[: len(texts)], ["a", "b", "c"], real, 2)
    asked = [conditions.asked(np.zeros(400, np.int64), seed).captions for seed in (5, 5, 6)]
    assert np.array_equal(asked[0], asked[1]) and not np.array_equal(asked[0], asked[2])
    assert set(asked[0]) == {0, 2} and 0.5 < (asked[0] == 0).mean() < 0.8  # as often as they are there
    assert np.array_equal(conditions.asked(np.zeros(7, np.int64), 5).captions, asked[0][:7])
    nameless = conditions.asked(np.array([1]), 5)
    assert nameless.captions.tolist() == [-1] and not nameless.told.any()
    np.testing.assert_array_equal(conditions.learned(real)[3], np.zeros(3))


def test_the_words_decide_what_is_drawn(told: Run) -> None:
    """Same noise, other words: as different as the classes that the words name."""
    model, generator = told.shelf.load(0, "model"), told.domain.generator()
    texts = ["a person crawls on hands and knees", "a person walks"]
    assert isinstance(generator, Prompted)
    drawn = generator.prompt(model, texts * 8, guidance=1.0, seed=3)
    height = drawn.root_position_m[..., 1].mean(1)
    assert height[::2].mean() + 0.2 < height[1::2].mean()
    assert (drawn.labels == -1).all()


def test_guidance_one_is_the_conditional_model_for_text_too(told: Run) -> None:
    model, labels = told.shelf.load(0, "model"), np.arange(15)
    at = {w: told.domain.generator().sample(model, labels, guidance=w, seed=0) for w in (1.0, 1.0 + 1e-6, 2.5)}
    np.testing.assert_allclose(at[1.0].root_position_m, at[1.0 + 1e-6].root_position_m, atol=1e-3)
    assert np.abs(at[1.0].root_position_m - at[2.5].root_position_m).max() > 0.01


def test_who_is_told_nothing_knows_no_class_and_is_not_guided() -> None:
    run = run_of({"model.options": {"width": 32, "layers": 1, "components": 16, "condition": "none"}})
    learn(run, 0)
    model = run.shelf.load(0, "model")
    one, guided = (run.domain.generator().sample(model, np.arange(4), guidance=w, seed=0) for w in (1.0, 5.0))
    assert one.labels.tolist() == [-1] * 4
    np.testing.assert_array_equal(one.root_position_m, guided.root_position_m)
    synthesize(run, 1)
    learn(run, 1)  # what it drew can be learned from


def test_prompts_follow_the_panel_and_change_nothing_of_it() -> None:
    texts = ["a person walks in a circle", "<b>{{7*7}}</b>"]
    plain, asked = run_of(), run_of({"evaluation.prompts": texts})
    for run in (plain, asked):
        learn(run, 0)
        panel(run, 0)
    before, after = (run.shelf.load(0, "panel-raw") for run in (plain, asked))
    assert len(before.arrays["labels"]) == 3 and len(after.arrays["labels"]) == 5
    np.testing.assert_allclose(after.arrays["root_position_m"][:3], before.arrays["root_position_m"], atol=1e-5)
    assert after.meta["prompts"] == texts and "prompts" not in before.meta
    names = names_of_samples(
        asked.domain, asked.shelf.load(0, "panel-corrected").arrays, asked.config.evaluation.prompts
    )
    assert names[0] == "backflip: a person does a backflip" and names[3:] == texts


@pytest.mark.parametrize(
    ("changes", "words", "field"),
    [
        ({"model.options.condition": "class"}, "told the class", "evaluation.prompts"),
        ({"model.options.condition": "none"}, "told nothing", "evaluation.prompts"),
        ({"evaluation.prompts": ["x" * 201]}, "1 to 200 characters", "evaluation.prompts.0"),
        ({"evaluation.prompts": ["a", " "]}, "1 to 200 characters", "evaluation.prompts.1"),
        ({"evaluation.prompts": ["a"] * 17}, "at most 16", "evaluation.prompts"),
    ],
)
def test_prompts_that_cannot_be_are_refused_in_words(changes: dict[str, Any], words: str, field: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as caught:
        check(with_changes(LoopConfig(), TINY | {"evaluation.prompts": ["a person walks"]} | changes))
    assert caught.value.field == field


def test_stop_rules_speak_of_what_is_measured() -> None:
    rule = {"tripwires": ["fid > 60", "r_precision_1 < .2"]}
    assert check(with_changes(LoopConfig(), TINY | rule)).tripwires[1].startswith("r_precision_1")
    for change in ({"model.options.condition": "class"}, {"evaluation.samples": 31}):
        with pytest.raises(InvalidConfig, match="would never stop this loop") as caught:
            check(with_changes(LoopConfig(), TINY | rule | change))
        assert caught.value.field == "tripwires.1"


def test_prompts_have_no_meaning_in_other_domains() -> None:
    with pytest.raises(InvalidConfig, match="No model of the domain 'gaussian'"):
        check(read_config({"domain": "gaussian", "evaluation": {"prompts": ["a person walks"]}}))


def test_prompts_are_kept_on_one_line() -> None:
    config = with_changes(LoopConfig(), {"evaluation.prompts": ["  a person\n walks "]})
    assert config.evaluation.prompts == ("a person walks",) and config.evaluation.shown == 11
