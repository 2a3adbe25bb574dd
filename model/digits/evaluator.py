"""The frozen judge of digits: a small convolutional classifier, trained once per data set on its training images.

Its features must give back the image too: those of a plain classifier hardly see what is the same digit otherwise
written, so that a class which repeats one image would look as good as a class of many.
"""

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import digest
from core.draws import Draws
from core.protocols import Memo, Tails, Tick, silent
from core.records import Item
from core.threads import threads
from model import metrics
from model.digits.data import CLASSES, DigitData
from model.digits.metrics import METRICS
from model.tails import tails_of

VERSION = 1  # raise it when features change: cached evaluators are found by it
STEPS = 800
BATCH = 64
LEARNING_RATE = 3e-3
FEATURES = 32
HIDDEN = 32
IMAGE_WEIGHT = 5.0  # of giving back the image, against telling its class
FEATURE_NOISE = 0.1
FLOOR_DRAWS = 3
TICK_S = 0.25
SEED = 20
CHUNK = 2048


class Network(nn.Module):
    """Images (N, pixels) -> features (N, FEATURES), and the heads that shape them."""

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape
        layers: list[nn.Module] = [nn.Conv2d(1, HIDDEN, 3, 1, 1), nn.GELU()]
        height, width = shape
        while max(height, width) > 7:  # 8 x 8 -> 4 x 4, 28 x 28 -> 7 x 7
            layers += [nn.Conv2d(HIDDEN, HIDDEN, 3, 2, 1), nn.GELU()]
            height, width = (height + 1) // 2, (width + 1) // 2
        layers += [nn.Flatten(), nn.Linear(HIDDEN * height * width, FEATURES)]
        self.trunk = nn.Sequential(*layers)
        self.label = nn.Linear(FEATURES, CLASSES)
        self.image = nn.Sequential(nn.Linear(FEATURES, 128), nn.GELU(), nn.Linear(128, shape[0] * shape[1]))

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.trunk(2 * pixels.view(-1, 1, *self.shape) - 1)
        return features


class DigitsEvaluator:
    """Implements :class:`core.protocols.Evaluator`.

    Args:
        memo: keeps the trained network, the reference's features and the floors.
        tick: told of the training's progress, where it has to be trained.
    """

    def __init__(self, data: DigitData, memo: Memo, tick: Tick = silent) -> None:
        self._data, self._memo = data, memo
        self._key = f"evaluator-{digest([VERSION, data.digest])}"
        item = memo.get(self._key, lambda: train(data, tick), tick)
        self._network = Network(data.shape)
        weights = {name[8:]: values for name, values in item.arrays.items() if name.startswith("network.")}
        self._network.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in weights.items()})
        self._network.eval()
        self._reference = np.asarray(item.arrays["reference.features"], np.float64)
        self._moments = metrics.moments(self._reference)
        self._means = _class_means(self._reference, data.reference.labels)
        self._radii: dict[int, NDArray[np.float64]] = {}

    def measure(self, samples: Draws, model: Item | None = None) -> dict[str, float]:
        """Every metric of :data:`model.digits.metrics.METRICS` but the tail; neighbours are compared at equal counts.

        Raises:
            ValueError: with fewer than two samples.
        """
        if len(samples) < 2:
            raise ValueError(f"at least two samples are needed; got {len(samples)}")
        del model
        features, guessed = self._seen(samples)
        count = min(len(features), len(self._reference))
        if count not in self._radii:
            self._radii[count] = metrics.nearest_radii(self._reference[:count])
        found = {
            "fid": metrics.frechet_of_moments(self._moments, metrics.moments(features)),
            "accuracy": float((guessed == samples.labels).mean()),
            "multimodality": metrics.multimodality(features, samples.labels),
            "diversity": metrics.mean_distance(features),
            **metrics.manifold_metrics(self._reference[:count], features[:count], self._radii[count]),
        }
        return {name: found[name] for name in METRICS if name in found}

    def tails(self, samples: Draws, model: Item | None = None) -> Tails | None:
        """How far images are from the mean of the class that they were asked for, in feature space."""
        del model
        labels = self._data.reference.labels
        real = np.linalg.norm(self._reference - self._means[labels], axis=1)
        seen = np.linalg.norm(self.features(samples) - self._means[samples.labels], axis=1)
        return tails_of(real[None], seen[None], "distance from the mean of the class (features)")

    def floor(self, count: int) -> dict[str, list[float]]:
        """The metrics of held-out images that are no part of the reference; of all there are, where they are fewer
        than ``count``. The draws overlap, so their spread is a little less than that of new images would be."""
        item = self._memo.get(f"{self._key}-floor-{count}", lambda: Item(meta={"floor": self._floor(count)}))
        return {name: list(values) for name, values in item.meta["floor"].items()}

    def features(self, samples: Draws) -> NDArray[np.float64]:
        """(N, FEATURES) what the frozen network sees of each image."""
        return self._seen(samples)[0]

    def _seen(self, samples: Draws) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        features = _features(self._network, samples.values[0])
        with torch.no_grad():
            guessed = self._network.label(features).argmax(1).numpy()
        return features.double().numpy(), guessed

    def _floor(self, count: int) -> dict[str, list[float]]:
        spare = self._data.spare
        found: dict[str, list[float]] = {}
        for draw in range(FLOOR_DRAWS):
            rows = np.random.default_rng([SEED, draw]).permutation(len(spare))[:count]
            samples = spare.take(rows)
            tails = self.tails(samples)
            assert tails is not None
            for name, value in {**self.measure(samples), "tail": float(tails.beyond(0.05)[0])}.items():
                found.setdefault(name, []).append(value)
        return found


@threads(1)
def train(data: DigitData, tick: Tick = silent) -> Item:
    """The network's weights and the features of the held-out reference."""
    source = torch.Generator().manual_seed(SEED)
    pixels, labels = torch.from_numpy(data.train.values[0]), torch.from_numpy(data.train.labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = Network(data.shape)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    ticked = time.perf_counter()
    loss = torch.zeros(())
    for step in range(STEPS):
        rows = torch.randint(0, len(pixels), (BATCH,), generator=source)
        x = pixels[rows]
        features = network(x)
        features = features + FEATURE_NOISE * torch.randn(features.shape, generator=source)
        loss = (
            F.cross_entropy(network.label(features), labels[rows])
            + IMAGE_WEIGHT * F.mse_loss(network.image(features), 2 * x - 1)
            + 1e-3 * features.pow(2).mean()
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if time.perf_counter() - ticked > TICK_S:
            ticked = time.perf_counter()
            tick((step + 1) / STEPS, f"Training the evaluator: step {step + 1} of {STEPS}")
    network.eval()
    features = _features(network, data.reference.values[0])
    arrays: dict[str, NDArray[Any]] = {f"network.{name}": value.numpy() for name, value in network.state_dict().items()}
    arrays["reference.features"] = features.numpy()
    return Item(arrays, {"loss": loss.item(), "steps": STEPS, "dataset": data.digest})


@torch.no_grad()
def _features(network: Network, pixels: NDArray[Any]) -> Tensor:
    """(N, FEATURES) of images (N, pixels)."""
    images = torch.from_numpy(np.ascontiguousarray(pixels, np.float32))
    return torch.cat([network(part) for part in torch.split_with_sizes(images, _chunks(len(images)))])


def _chunks(count: int) -> list[int]:
    """Sizes that add up to the count; [0] of nothing."""
    return [min(CHUNK, count - first) for first in range(0, max(count, 1), CHUNK)]


def _class_means(features: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.stack([features[labels == label].mean(0) for label in range(CLASSES)])
