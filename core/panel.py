"""What is drawn for the eye: samples of a model, beside each its nearest real one and its corrected form."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.draws import for_the_eye
from core.errors import InvalidConfig
from core.protocols import Corrector, Domain, Generator, Labels, Prompted, Tick, silent
from core.records import Item


def shown(
    domain: Domain, real: Any, raw: Any, corrector: Corrector, *, seed: Any, tick: Tick = silent
) -> dict[str, Item]:
    """Items ``raw``, ``real`` (whose meta has the ``index`` of each) and ``corrected`` (with ``outcomes`` and tracks).

    Args:
        real: the samples that the model learned from, to look for the nearest in.
        raw: N samples; of several seeds the first is kept.
    """
    raw, real = for_the_eye(raw.with_arrays(raw.arrays())), for_the_eye(real)  # what is corrected is what is kept
    nearest = _nearest_real(domain.distance(raw, real), raw.labels, real.labels)
    return {
        "raw": Item(raw.arrays()),
        "real": Item(real.take(nearest).arrays(), {"index": nearest.tolist()}),
        "corrected": corrector.correct(raw, seed=seed, tick=tick).as_item(),
    }


def prompted(
    generator: Generator, model: Item, texts: Sequence[str], *, guidance: float, seed: Any, tick: Tick = silent
) -> Any:
    """One sample per text, where the generator's model is told sentences.

    Raises:
        InvalidConfig: where it is not.
    """
    if not isinstance(generator, Prompted):
        raise InvalidConfig("Nothing here is told sentences.", "Leave the prompts out.", "evaluation.prompts")
    return generator.prompt(model, texts, guidance=guidance, seed=seed, tick=tick)


def names_of_samples(domain: Domain, arrays: Mapping[str, np.ndarray], prompts: Sequence[str] = ()) -> list[str]:
    """What each of N samples was asked by: its class, with its caption where it was drawn by one; the last ones by the
    words of prompts; "" where nobody knows."""
    names, captions, labels = domain.class_names, getattr(domain, "captions", ()), arrays["labels"]
    said = arrays.get("captions", np.full(len(labels), -1))
    found = [names[label] if 0 <= label < len(names) else "" for label in labels]
    found = [f"{name}: {captions[i]}" if 0 <= i < len(captions) else name for name, i in zip(found, said, strict=True)]
    return [*found[: len(found) - len(prompts)], *prompts]


def balanced_labels(real_labels: Labels, count: int) -> Labels:
    """``count`` labels that go round the classes of the real data in turn."""
    classes = np.unique(real_labels)
    return classes[np.arange(count) % len(classes)]


def panel_labels(real_labels: Labels, count: int) -> Labels:
    """``count`` labels spread evenly over the classes: a panel smaller than their number shows all kinds of them."""
    classes = np.unique(real_labels)
    if count >= len(classes):
        return balanced_labels(real_labels, count)
    spread: Labels = classes[np.linspace(0, len(classes) - 1, count).round().astype(int)]
    return spread


def _nearest_real(distance: np.ndarray, labels: Labels, real_labels: Labels) -> Labels:
    """(N,) index of each sample's nearest real sample of its class (of any class where there is none).

    Args:
        distance: (N, M) from samples to real samples.
    """
    same = labels[:, None] == real_labels[None, :]
    foreign = ~same & same.any(1, keepdims=True)
    nearest: Labels = np.argmin(np.where(foreign, np.inf, distance), axis=1)
    return nearest
