"""Text from a causal network: sampling and beam search, many prompts at once, with a cache of keys and values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Step = Callable[[int], None]


@torch.no_grad()
def sample(
    network: nn.Module, prompts: Tensor, chances: NDArray[np.float64], *, temperature: float, top_k: int, step: Step
) -> Tensor:
    """One token after another, each by chance.

    Args:
        prompts: (N, P) ids.
        chances: (N, L) in [0, 1): which token of the cumulative distribution is taken.
        temperature: of the softmax.
        top_k: how many of the most probable tokens there are to choose from; 0 = all.
        step: called after each token with how many there are.

    Returns:
        (N, L) ids.
    """
    output = network(input_ids=prompts, use_cache=True)
    tokens = []
    for position in range(chances.shape[1]):
        logits = output.logits[:, -1].double() / temperature
        if 0 < top_k < logits.shape[1]:
            least = logits.topk(top_k).values[:, -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        up_to = logits.softmax(1).cumsum(1)
        where = torch.from_numpy(chances[:, position : position + 1]).to(up_to.device) * up_to[:, -1:]
        chosen = torch.searchsorted(up_to, where, right=True).clamp(max=logits.shape[1] - 1)
        tokens.append(chosen)
        step(position + 1)
        if position + 1 < chances.shape[1]:
            output = network(input_ids=chosen, past_key_values=output.past_key_values, use_cache=True)
    return torch.cat(tokens, 1)


@torch.no_grad()
def beam_search(network: nn.Module, prompts: Tensor, *, length: int, beams: int, step: Step) -> Tensor:
    """The most probable continuation that a search with ``beams`` candidates finds; nothing is left to chance.

    All candidates have the same length, so there is no length penalty.

    Args:
        prompts: (N, P) ids.
        length: L tokens to add.
        step: as of :func:`sample`.

    Returns:
        (N, L) ids.
    """
    count = len(prompts)
    output: Any = network(input_ids=prompts, use_cache=True)
    logs = output.logits[:, -1].log_softmax(1)
    beams = min(beams, logs.shape[1])
    scores, chosen = logs.topk(beams)  # (N, B)
    cache = output.past_key_values
    cache.reorder_cache(torch.arange(count, device=prompts.device).repeat_interleave(beams))
    found: Tensor = chosen[:, :, None]  # (N, B, tokens so far)
    first = torch.arange(count, device=prompts.device)[:, None] * beams  # where a prompt's candidates begin
    step(1)
    for position in range(1, length):
        output = network(input_ids=chosen.reshape(-1, 1), past_key_values=cache, use_cache=True)
        logs = output.logits[:, -1].log_softmax(1).view(count, beams, -1)
        scores, flat = (scores[:, :, None] + logs).flatten(1).topk(beams)
        parent, chosen = flat // logs.shape[2], flat % logs.shape[2]
        cache = output.past_key_values
        cache.reorder_cache((first + parent).flatten())
        found = torch.cat([found.gather(1, parent[:, :, None].expand(-1, -1, position)), chosen[:, :, None]], 2)
        step(position + 1)
    return found[:, 0]
