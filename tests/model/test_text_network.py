"""A causal network, and text from it by sampling and by beam search."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.text.decode import beam_search, sample
from model.text.network import Plan, arrays_of, initial, logits_of, token_losses
from tests.model.texts import CPU


def network(vocabulary: int = 7, positions: int = 24) -> nn.Module:
    """Peaked enough for its choices to differ."""
    made = initial(Plan(vocabulary, positions, 16, 2, 2, 0.0), 3)
    with torch.no_grad():
        for values in made.parameters():
            values.mul_(6.0)
    return made.eval()


def prompts(count: int, length: int = 3, vocabulary: int = 7) -> Tensor:
    return torch.randint(0, vocabulary, (count, length), generator=torch.Generator().manual_seed(0))


def test_sampling_with_a_cache_is_sampling_without_one() -> None:
    made, given, chances = network(), prompts(5), np.random.default_rng(0).random((5, 9))
    found = sample(made, given, chances, temperature=0.7, top_k=0, step=lambda _: None)
    tokens = given
    for position in range(9):
        with torch.no_grad():
            shares = (made(input_ids=tokens).logits[:, -1].double() / 0.7).softmax(1).numpy()
        chosen = [
            int((np.cumsum(row) <= chance).sum()) for row, chance in zip(shares, chances[:, position], strict=True)
        ]
        tokens = torch.cat([tokens, torch.tensor(chosen)[:, None]], 1)
    assert torch.equal(tokens[:, 3:], found)
    assert len({tuple(row) for row in found.tolist()}) == 5


def test_samples_follow_the_softmax() -> None:
    made, given = network(), prompts(1).expand(20_000, -1)
    found = sample(
        made, given, np.random.default_rng(1).random((20_000, 1)), temperature=1.0, top_k=0, step=lambda _: None
    )
    with torch.no_grad():
        expected = made(input_ids=given[:1]).logits[0, -1].softmax(0).numpy()
    assert np.bincount(found[:, 0], minlength=7) / 20_000 == pytest.approx(expected, abs=0.015)


def test_one_candidate_leaves_nothing_to_chance() -> None:
    made, given = network(), prompts(6)
    one, two = (
        sample(made, given, np.random.default_rng(s).random((6, 8)), temperature=1.0, top_k=1, step=lambda _: None)
        for s in (0, 1)
    )
    assert torch.equal(one, two)
    assert torch.equal(one, beam_search(made, given, length=8, beams=1, step=lambda _: None))  # greedy


def test_a_wide_beam_finds_the_most_probable_text_there_is() -> None:
    made, given = network(4), prompts(3, vocabulary=4)
    found = beam_search(made, given, length=4, beams=4**3, step=lambda _: None)
    every = np.array(list(itertools.product(range(4), repeat=4)), np.int32)
    for row, prompt in zip(found.numpy(), given.numpy(), strict=True):
        losses = token_losses(made, np.tile(prompt.astype(np.int32), (256, 1)), every, CPU).sum(1)
        assert row.tolist() == every[losses.argmin()].tolist()


def test_what_is_said_of_a_token_depends_on_those_before_it_only() -> None:
    made, tokens = network(), prompts(2, 12)
    changed = tokens.clone()
    changed[:, 8:] = (changed[:, 8:] + 1) % 7
    with torch.no_grad():
        one, two = (logits_of(made, given, 10) for given in (tokens, changed))
    assert torch.allclose(one[:, :6], two[:, :6], atol=1e-5)
    assert not torch.allclose(one[:, 7:], two[:, 7:], atol=1e-2)


def test_a_networks_weights_come_from_its_seed_and_leave_the_global_state_alone() -> None:
    state = torch.random.get_rng_state()
    plan = Plan(20, 8, 16, 1, 2)
    one, same, other = (arrays_of(initial(plan, seed)) for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["transformer.wte.weight"], other["transformer.wte.weight"])
    assert "lm_head.weight" not in one  # it is the table of embeddings once more
