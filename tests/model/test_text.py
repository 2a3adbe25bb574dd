"""The text domain: its generator, its judge, and whole short loops."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from backend.parts import check
from core.draws import Draws
from core.errors import InvalidConfig, LoopscopeError, TrainingDiverged
from core.memory import MemoryMemo, MemoryShelf
from core.records import Item
from model.text.generator import CausalGenerator
from model.text.metrics import METRICS
from model.text.network import Plan, restored, token_losses
from tests.model.texts import CPU, TINY, config, no_net, quick_judge, records, tiny, trained  # noqa: F401  # fixtures


def test_perplexity_of_held_out_text_falls_with_training() -> None:
    domain = tiny(**{"training.learning_rate": 1e-2})
    index = np.arange(60)
    before, real = domain.corpus.held_out.before(index, 4), domain.corpus.held_out.values(index)
    generator = domain.generator()
    assert isinstance(generator, CausalGenerator)
    found = [
        float(np.exp(token_losses(generator.network(trained(domain, steps)), before, real, CPU).mean()))
        for steps in (0, 20, 100)
    ]
    assert found[0] == pytest.approx(128, rel=0.15)  # knows nothing: all pieces alike
    assert found[0] > 1.05 * found[1] > 1.4 * found[2]


def test_the_same_seed_writes_the_same_text_and_another_another() -> None:
    domain = tiny()
    generator, model = domain.generator(), trained(domain)
    labels = np.arange(300) % 40
    one, same, other = (generator.sample(model, labels, guidance=1.0, seed=seed).values for seed in (5, 5, 6))
    assert one.shape == (1, 300, 16) and one.dtype == np.int32
    assert 0 <= one.min() and one.max() < len(domain.corpus.tokens)
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    few = generator.sample(model, labels[:7], guidance=1.0, seed=5).values
    assert np.array_equal(few, one[:, :7])  # however many others are written
    assert generator.sample(model, labels[:0], guidance=1.0, seed=5).values.shape == (1, 0, 16)


def test_training_twice_gives_the_same_weights() -> None:
    one, two = trained(tiny()), trained(tiny())
    assert one.meta == two.meta
    assert all(np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays)


def test_a_checkpoint_writes_the_same_text_after_a_round_trip() -> None:
    domain = tiny()
    model = trained(domain)
    kept = Item(load(save(model.arrays)), json.loads(json.dumps(model.meta)))
    labels = np.arange(12)
    mine = domain.generator().sample(model, labels, guidance=1.0, seed=3)
    theirs = tiny().generator().sample(kept, labels, guidance=1.0, seed=3)
    assert np.array_equal(mine.values, theirs.values)


def test_beams_write_what_chance_does_not_touch() -> None:
    domain = tiny(**{"model.options": {**TINY["model.options"], "beams": 3}})
    model, labels = trained(domain), np.arange(8)
    one, two = (domain.generator().sample(model, labels, guidance=1.0, seed=seed).values for seed in (1, 2))
    assert np.array_equal(one, two)


def test_what_has_no_weight_is_not_learned_from() -> None:
    domain = tiny()
    real = domain.real(40)
    half = Draws(real.values, real.labels, (np.arange(40) < 20).astype(float)[None])
    one = domain.generator().fit(half, start=None, scratch=False, steps=5, seed=1)
    two = domain.generator().fit(real.take(np.arange(20)), start=None, scratch=False, steps=5, seed=1)
    assert all(np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays)
    nothing = Draws(real.values, real.labels, np.zeros((1, 40)))
    with pytest.raises(InvalidConfig, match="no text left"):
        domain.generator().fit(nothing, start=None, scratch=False, steps=5, seed=1)


def test_starting_over_forgets_and_going_on_does_not() -> None:
    domain = tiny()
    generator, real, start = domain.generator(), domain.real(40), trained(domain)
    gone_on = generator.fit(real, start=start, scratch=False, steps=0, seed=1)
    over = generator.fit(real, start=start, scratch=True, steps=0, seed=1)
    first = generator.fit(real, start=None, scratch=False, steps=0, seed=1)
    name = "weights.transformer.wte.weight"
    assert np.array_equal(gone_on.arrays[name], start.arrays[name])
    assert np.array_equal(over.arrays[name], first.arrays[name])


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    domain = tiny()
    start = trained(domain, 0)
    broken = Item({name: np.full_like(values, np.nan) for name, values in start.arrays.items()}, start.meta)
    with pytest.raises(TrainingDiverged, match="at step 0"):
        domain.generator().fit(domain.real(40), start=broken, scratch=False, steps=3, seed=1)


def test_a_checkpoint_of_other_sizes_is_refused() -> None:
    with pytest.raises(LoopscopeError, match="does not fit"):
        restored(Plan(128, 20, 32, 1, 2), {"transformer.wte.weight": np.zeros((128, 16), np.float32)})


@pytest.mark.usefixtures("quick_judge", "no_net")
@pytest.mark.parametrize("policy", ["replace", "real"])
def test_a_loop_gives_the_same_numbers_twice_without_the_net(policy: str) -> None:
    chosen = config(policy={"kind": policy})
    shelf = MemoryShelf()
    one, two = records(chosen, shelf), records(chosen, MemoryShelf())
    assert [r.metrics for r in one] == [r.metrics for r in two]
    assert [r.training for r in one] == [r.training for r in two]
    assert len(one) == 3 and list(one[0].metrics) == list(METRICS)
    assert len({r.metrics["perplexity"] for r in one}) == 3
    assert one[1].counts == ({"real": 0, "synthetic": 40} if policy == "replace" else {"real": 40, "synthetic": 0})
    judged = shelf.load(0, "metrics")
    assert set(judged.meta["floor"]) == set(METRICS) - {"perplexity"}
    assert judged.arrays["tails.shares"].shape == (5,)
    panel, behind = shelf.load(2, "panel-raw").arrays, shelf.load(2, "panel-real").arrays
    assert np.array_equal(panel["labels"], behind["labels"])  # beside each text what was really written there
    assert panel["values"].shape == (1, 3, 16)


@pytest.mark.usefixtures("quick_judge")
def test_loops_share_generation_zero() -> None:
    memo = MemoryMemo()
    first = records(config(generations=0), MemoryShelf(), memo)
    keys = set(memo.items)
    second = records(config(generations=1, policy={"kind": "real"}), MemoryShelf(), memo)
    assert set(memo.items) == keys and first[0].metrics == second[0].metrics


def test_real_blocks_are_nested_and_new_ones_are_new() -> None:
    domain = tiny()
    assert np.array_equal(domain.real(60).values[:, :40], domain.real(40).values)
    fresh = [domain.fresh_real(10, t) for t in (1, 2)]
    assert not {*domain.real(40).labels} & {*fresh[0].labels} and not {*fresh[0].labels} & {*fresh[1].labels}
    with pytest.raises(InvalidConfig, match="blocks of real text are asked for") as raised:
        domain.fresh_real(10**6, 1)
    assert raised.value.field == "generations"
    with pytest.raises(InvalidConfig, match="Labels are training blocks"):
        domain.generator().sample(trained(domain, 0), np.array([10**6]), guidance=1.0, seed=0)


def test_the_body_spells_every_id() -> None:
    domain = tiny()
    body = domain.body()
    real = domain.real(3)
    spelled = ["".join(body["pieces"][i] for i in row) for row in real.values[0]]
    assert spelled == [domain.corpus.tokens.text(row) for row in real.values[0]]
    assert body["view"] == "text" and len(body["class_names"]) == len(domain.corpus.train)
    assert json.loads(json.dumps(body)) == body
    assert domain.distance(real, real).diagonal() == pytest.approx(0, abs=1e-6)


@pytest.mark.usefixtures("quick_judge")
def test_the_judge_sees_nonsense_and_monotony_at_either_end() -> None:
    domain = tiny()
    judge = domain.evaluator()
    real = domain.real(40)
    nonsense = real.with_values(np.random.default_rng(0).integers(1, 128, real.values.shape).astype(np.int32))
    blank = real.with_values(np.full_like(real.values, real.values[0, 0, 0]))
    of_real, of_nonsense, of_blank = (judge.measure(samples) for samples in (real, nonsense, blank))
    assert "perplexity" not in of_real
    assert of_nonsense["perplexity_generated"] > of_real["perplexity_generated"]
    assert of_blank["repetition"] > 0.9 > 0.3 > of_real["repetition"]
    assert of_blank["distinct_2"] < 0.02 < of_real["distinct_2"]
    tails = judge.tails(nonsense)
    assert tails is not None and tails.beyond(0.05)[0] > 0.5


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"replicates": 3}, "replicates", "one seed each; got 3"),
        ({"n": 100_000}, "n", "100000 blocks of real text are asked for"),
        ({"model.options": {"prompt": 17}}, "model.options.prompt", "longer than a block of 16"),
        ({"model.options": {"width": 30, "heads": 4}}, "model.options.heads", "4 heads do not divide"),
        ({"model.options": {"temperature": 0}}, "model.options.temperature", "more than 0"),
        ({"data.options": {"vocabulary": 3}}, "data.options.vocabulary", "at least 64"),
        ({"corrector": {"kind": "physics"}}, "corrector.kind", "no corrector named 'physics'"),
    ],
)
def test_what_cannot_run_is_refused_by_field(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidConfig, match=words) as raised:
        check(config(**changes))
    assert raised.value.field == field


def test_checking_a_config_loads_no_network_library() -> None:
    program = (
        "import sys, model.domains, backend.parts as parts\n"
        "print(*[m for m in ('torch', 'transformers', 'tokenizers') if m in sys.modules])\n"
        "parts.check(parts.read_config({'domain': 'text'}))\n"
        "print(*[m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [] and result.stderr == ""
