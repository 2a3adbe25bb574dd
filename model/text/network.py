"""A causal transformer of the library transformers, from random weights or from a local folder; never from the net."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from core.errors import DataMissing
from core.records import Arrays
from model.text.folder import Pretrained

MISFIT_HINT = "Use the model options and the data that it was trained with."
ROWS = 128  # scored at once

for _name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(_name, "1")
transformers: Any = import_module("transformers")  # reads these when it loads


@dataclass(frozen=True)
class Plan:
    """What a network is made like: GPT-2's architecture (Radford et al. 2019), or a folder's.

    Attributes:
        vocabulary: V ids.
        positions: longest text in tokens, prompt and block.
        pretrained: the folder whose weights to start from; the sizes below do not count then.
    """

    vocabulary: int
    positions: int
    width: int = 128
    layers: int = 3
    heads: int = 4
    dropout: float = 0.1
    pretrained: Pretrained | None = None


def initial(plan: Plan, seed: int) -> nn.Module:
    """A network to start training from: random weights of the seed, or the folder's.

    Raises:
        DataMissing: when the folder's weights cannot be loaded or do not fit.
    """
    return _random(plan, seed) if plan.pretrained is None else _from_folder(plan.pretrained)


def restored(plan: Plan, arrays: Arrays) -> nn.Module:
    """A network with a checkpoint's weights.

    Raises:
        DataMissing: when they do not fit.
    """
    network: nn.Module
    if plan.pretrained is None:
        network = _random(plan, 0)
    else:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(
                plan.pretrained.folder, local_files_only=True, trust_remote_code=False
            )
            network = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    wanted: dict[str, Tensor] = dict(network.named_parameters())
    if wanted.keys() != arrays.keys() or any(wanted[name].shape != arrays[name].shape for name in wanted):
        raise DataMissing("The checkpoint does not fit the configured network.", MISFIT_HINT)
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(torch.from_numpy(np.array(arrays[name])))
    return network


def arrays_of(network: nn.Module) -> Arrays:
    """The weights, those that are used twice once, float32."""
    return {name: values.detach().float().cpu().numpy().copy() for name, values in network.named_parameters()}


def logits_of(network: nn.Module, tokens: Tensor, block: int) -> Tensor:
    """(N, block, V) what the network says of the last ``block`` tokens, each from those before it.

    Args:
        tokens: (N, P + block) ids.
    """
    found: Tensor = network(input_ids=tokens[:, :-1], use_cache=False).logits[:, -block:]
    return found


def token_losses(
    network: nn.Module, prompts: NDArray[np.int32], blocks: NDArray[np.int32], device: torch.device
) -> NDArray[np.float64]:
    """(N, L) negative log-likelihoods of the tokens of blocks (N, L) behind prompts (N, P), natural logarithm."""
    network.eval()
    found = np.zeros(blocks.shape)
    with torch.no_grad():
        for first in range(0, len(blocks), ROWS):
            rows = slice(first, first + ROWS)
            tokens = torch.from_numpy(np.concatenate([prompts[rows], blocks[rows]], axis=1).astype(np.int64)).to(device)
            logits = logits_of(network, tokens, blocks.shape[1])
            losses = F.cross_entropy(logits.flatten(0, 1), tokens[:, prompts.shape[1] :].flatten(), reduction="none")
            found[rows] = losses.view(-1, blocks.shape[1]).double().cpu().numpy()
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """The library says nothing on the terminal."""
    log = transformers.utils.logging
    before, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(before)
        if bars:
            log.enable_progress_bar()


def _random(plan: Plan, seed: int) -> nn.Module:
    """Leaves the global random state alone."""
    config = transformers.GPT2Config(
        vocab_size=plan.vocabulary, n_positions=plan.positions, n_embd=plan.width, n_layer=plan.layers,
        n_head=plan.heads, resid_pdrop=plan.dropout, embd_pdrop=plan.dropout, attn_pdrop=0.0,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = transformers.GPT2LMHeadModel(config)
    return network


def _from_folder(source: Pretrained) -> nn.Module:
    try:
        with quiet():
            network, report = transformers.AutoModelForCausalLM.from_pretrained(
                source.folder, local_files_only=True, use_safetensors=True, trust_remote_code=False,
                dtype=torch.float32, output_loading_info=True,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataMissing(
            f"The model in {source.folder} cannot be loaded: {reason}",
            "Give the folder of a causal language model, as model.save_pretrained wrote it.",
        ) from None
    missing = [*report["missing_keys"], *report["mismatched_keys"]]
    if missing:
        raise DataMissing(
            f"The weights in {source.folder} do not fit its config.json: {missing[0]} is missing or misshapen.",
            "Save the model anew.",
        )
    loaded: nn.Module = network
    return loaded
