"""The frozen judge: features of motion windows that see classes, poses, timing and artefacts.

A 1-D convolution over joint positions, velocities, log-jerk and the speed of what is near the floor. A plain action
classifier's features are blind to jitter of 3 cm and to missing mirror images; so the features must also give back the
motion, how much it was jittered, lifted and slid, and whether it is a mirror image of what was recorded. It is trained
once per data set on its training split, and never sees a loop.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from core import rotations as R
from core.artefacts import artefact_tracks, mean_artefacts
from core.body import body_of
from core.config import digest
from core.discrepancy import Discrepancy
from core.motion import MotionBatch
from core.protocols import Memo, Tails, Tick, silent
from core.records import Item
from core.rotations import Array
from core.skeleton import Skeleton
from core.threads import threads
from model import metrics
from model.datasets.base import Dataset
from model.drift import DriftGauge
from model.tails import tails_of

VERSION = 3  # raise it when features change: cached evaluators are found by it
KEPT = 2  # raise it when floors and noise hold other numbers, or more of them
TRAINING_WINDOWS = 4096
STEPS = 1000
BATCH = 64
LEARNING_RATE = 2e-3
FEATURES = 64
HIDDEN = 64
REFERENCE_WINDOWS = 2048
FLOOR_DRAWS = 3
NOISE_DRAWS = 4
TICK_S = 0.25
SEED = 20


class Network(nn.Module):
    """Windows of points (N, T, P, 3) -> features (N, FEATURES), and the heads that shape them."""

    def __init__(self, points: int, frames: int, classes: int) -> None:
        super().__init__()
        width, after = 8 * points + 2, frames
        for _ in range(3):
            after = (after + 1) // 2
        self.poses = 3 * points + 2
        self.trunk = nn.Sequential(
            nn.Conv1d(width, HIDDEN, 5, 2, 2), nn.GELU(),
            nn.Conv1d(HIDDEN, HIDDEN, 5, 2, 2), nn.GELU(),
            nn.Conv1d(HIDDEN, HIDDEN, 3, 2, 1), nn.GELU(),
            nn.Flatten(), nn.Linear(HIDDEN * after, FEATURES),
        )  # fmt: skip
        self.action = nn.Linear(FEATURES, classes)
        self.motion = nn.Sequential(
            nn.Linear(FEATURES, 256), nn.GELU(), nn.Linear(256, ((frames + 1) // 2) * self.poses)
        )
        self.artefacts = nn.Sequential(nn.Linear(FEATURES, 64), nn.GELU(), nn.Linear(64, 3))
        self.side = nn.Linear(FEATURES, 1)


class MotionEvaluator:
    """Implements :class:`core.protocols.Evaluator`, and :class:`core.protocols.Doubter`.

    Args:
        memo: keeps the trained network, the reference's features, the floors and the noise.
        tick: told of the training's progress, where it has to be trained.
        learned: the real windows that the loop learns from, the data set's first; None where no loop is judged, and
            then nothing is said of :data:`model.drift.DRIFT`.
    """

    def __init__(self, dataset: Dataset, memo: Memo, tick: Tick = silent, learned: MotionBatch | None = None) -> None:
        self._dataset, self._memo = dataset, memo
        self._key = f"evaluator-{digest([VERSION, dataset.digest])}"
        item = memo.get(self._key, lambda: train(dataset, tick), tick)
        self._network = Network(len(_points_of(dataset.skeleton)), dataset.frames, len(dataset.class_names))
        self._network.load_state_dict(
            {
                name.removeprefix("network."): torch.from_numpy(np.array(value))
                for name, value in item.arrays.items()
                if name.startswith("network.")
            }
        )
        self._network.eval()
        self._reference = np.asarray(item.arrays["reference.features"], np.float64)
        self._moments = metrics.moments(self._reference)
        self._radii: dict[int, NDArray[np.float64]] = {}
        self._whitening: NDArray[np.float64] | None = None
        self._embedding: Discrepancy | None = None
        self._drift: DriftGauge | None = None
        if learned is not None:
            self._drift = DriftGauge(dataset, learned, self.features, self._moments, memo, self._key)

    def measure(self, samples: MotionBatch, model: Item | None = None) -> dict[str, float]:
        """Every metric of :data:`model.metrics.METRICS`, nearest neighbours compared at equal counts, and of
        :data:`model.drift.DRIFT` where a loop is judged.

        Raises:
            ValueError: with fewer than two samples.
        """
        if len(samples) < 2:
            raise ValueError(f"at least two samples are needed; got {len(samples)}")
        del model
        return self._with_drift(samples, self._measure(samples))

    def tails(self, samples: MotionBatch, model: Item | None = None) -> Tails | None:
        """How far windows are from the mean of the reference, in the features' own spread (Mahalanobis)."""
        del model
        if self._whitening is None:
            values, vectors = np.linalg.eigh(self._moments[1])
            self._whitening = vectors / np.sqrt(values.clip(1e-6 * float(values.max())))
        mean, whitening = self._moments[0], self._whitening
        real, seen = (np.linalg.norm((x - mean) @ whitening, axis=1) for x in (self._reference, self.features(samples)))
        return tails_of(real[None], seen[None], "distance from the mean of held-out features (Mahalanobis)")

    def floor(self, count: int) -> dict[str, list[float]]:
        """See :meth:`core.protocols.Evaluator.floor`."""
        plain = self._plain_floor(count)
        if self._drift is None:
            return plain
        rows = [{name: values[k] for name, values in plain.items()} for k in range(FLOOR_DRAWS)]
        return _by_name([self._with_drift(draw, row) for draw, row in zip(self._floor_draws(count), rows, strict=True)])

    def noise(self, name: str, draw: Callable[[int], MotionBatch], tick: Tick = silent) -> dict[str, list[float]]:
        """See :meth:`core.protocols.Doubter.noise`."""

        def compute() -> Item:
            draws = []
            for k in range(1, NOISE_DRAWS + 1):
                tick((k - 1) / NOISE_DRAWS, f"Measuring the noise: draw {k} of {NOISE_DRAWS}")
                draws.append(self.measure(draw(k)))
            return Item(meta={"noise": _by_name(draws)})

        return dict(self._memo.get(f"{self._key}-noise-{KEPT}-{name}", compute, tick).meta["noise"])

    def caveats(self, count: int) -> dict[str, str]:
        """See :meth:`core.protocols.Doubter.caveats`."""
        return metrics.caveats(count, FEATURES, len(self._dataset.class_names))

    @property
    def reference(self) -> NDArray[np.float64]:
        """(M, FEATURES) features of the held-out reference."""
        return self._reference

    def features(self, samples: MotionBatch) -> NDArray[np.float64]:
        """(N, FEATURES) what the frozen network sees of each sample."""
        return _features(self._network, points_of(samples), self._dataset.fps).double().numpy()

    def measure_points(self, points_m: Array, labels: NDArray[np.int64]) -> dict[str, float]:
        """The metrics that need features only, of windows given as points (N, T, P, 3)."""
        found = _features(self._network, points_m, self._dataset.fps)
        with torch.no_grad():
            guessed = self._network.action(found).argmax(1).numpy()
        features = found.double().numpy()
        count = min(len(features), len(self._reference))
        if count not in self._radii:
            self._radii[count] = metrics.nearest_radii(self._reference[:count])
        if self._embedding is None:
            self._embedding = Discrepancy.of(self._reference, metrics.cubic_kernel)
        return {
            "fid": metrics.frechet_of_moments(self._moments, metrics.moments(features)),
            "kid": self._embedding.distance(features).value,
            "accuracy": float((guessed == labels).mean()),
            "multimodality": metrics.multimodality(features, labels),
            "diversity": metrics.mean_distance(features),
            **metrics.manifold_metrics(self._reference[:count], features[:count], self._radii[count]),
        }

    def _measure(self, samples: MotionBatch) -> dict[str, float]:
        positions, rotations = samples.world()
        tracks = artefact_tracks(body_of(samples.skeleton), positions, rotations, samples.fps)
        seen = self.measure_points(evaluation_points(samples.skeleton, positions, rotations), samples.labels)
        return metrics.in_order(seen | metrics.physics_metrics(mean_artefacts(tracks)))

    def _with_drift(self, samples: MotionBatch, seen: dict[str, float]) -> dict[str, float]:
        if self._drift is None:
            return seen
        floor = float(np.mean(self._plain_floor(len(samples))["fid"]))
        return seen | self._drift.measure(samples, seen["fid"], floor)

    def _plain_floor(self, count: int) -> dict[str, list[float]]:
        """Of what needs no training windows; shared by loops of every n."""

        def compute() -> Item:
            return Item(meta={"floor": _by_name([self._measure(draw) for draw in self._floor_draws(count)])})

        return dict(self._memo.get(f"{self._key}-floor-{KEPT}-{count}", compute).meta["floor"])

    def _floor_draws(self, count: int) -> list[MotionBatch]:
        return [self._dataset.held_out(count, draw) for draw in range(1, FLOOR_DRAWS + 1)]


def _by_name(draws: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    return {name: [draw[name] for draw in draws] for name in draws[0]}


@threads(1)
def train(dataset: Dataset, tick: Tick = silent) -> Item:
    """The network's weights and the features of the held-out reference."""
    source = torch.Generator().manual_seed(SEED)
    batch = dataset.evaluator_train(TRAINING_WINDOWS)
    tick(0.01, "Training the evaluator")
    points = torch.from_numpy(points_of(batch))
    labels = torch.from_numpy(batch.labels)
    sides = torch.from_numpy(np.where(dataset.evaluator_images(TRAINING_WINDOWS), 1.0, -1.0)).float()
    tick(0.03, "Training the evaluator")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = Network(points.shape[2], dataset.frames, len(dataset.class_names))
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, STEPS)
    ticked = time.perf_counter()
    loss = torch.zeros(())
    for step in range(STEPS):
        rows = torch.randint(0, len(points), (BATCH,), generator=source)
        loss = _loss(network, points[rows], labels[rows], sides[rows], dataset.fps, source)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if time.perf_counter() - ticked > TICK_S:
            ticked = time.perf_counter()
            tick(0.03 + 0.95 * (step + 1) / STEPS, f"Training the evaluator: step {step + 1} of {STEPS}")
    network.eval()
    features = _features(network, points_of(dataset.held_out(REFERENCE_WINDOWS)), dataset.fps)
    arrays: dict[str, NDArray[Any]] = {f"network.{name}": value.numpy() for name, value in network.state_dict().items()}
    arrays["reference.features"] = features.numpy()
    return Item(arrays, {"loss": loss.item(), "steps": STEPS, "dataset": dataset.digest})


def _features(network: Network, points_m: Array, fps: float) -> Tensor:
    """(N, FEATURES) of points (N, T, P, 3)."""
    points = torch.from_numpy(np.ascontiguousarray(points_m, dtype=np.float32))
    parts = torch.split_with_sizes(points, _chunks(len(points)))
    with torch.no_grad():
        return torch.cat([network.trunk(inputs(part, fps)) for part in parts])


def _chunks(count: int, size: int = 512) -> list[int]:
    return [min(size, count - first) for first in range(0, count, size)]


def _loss(
    network: Network, points: Tensor, labels: Tensor, sides: Tensor, fps: float, source: torch.Generator
) -> Tensor:
    spoilt, amounts = spoil(points, fps, source)
    x = inputs(spoilt, fps)
    features = network.trunk(x)
    features = features + 0.05 * torch.randn(features.shape, generator=source)
    action = F.cross_entropy(network.action(features), labels)
    motion = F.mse_loss(network.motion(features), x[:, : network.poses, ::2].flatten(1))
    artefacts = F.mse_loss(network.artefacts(features), amounts)
    side = F.mse_loss(network.side(features)[:, 0], sides)  # of a cross entropy, one feature would grow without end
    loss: Tensor = 0.2 * action + 10 * motion + 10 * artefacts + 0.5 * side + 1e-3 * features.pow(2).mean()
    return loss


def spoil(points: Tensor, fps: float, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Windows with jitter (up to 6 cm), lifted or sunk (up to 12 cm) and sliding (up to .8 m/s), each in 40 % of them.

    Returns:
        Points as given, and how much of each (N, 3) in -1..1.
    """
    count, frames = points.shape[:2]
    amount = torch.rand(count, 3, generator=source) * (torch.rand(count, 3, generator=source) < 0.4)
    down = torch.rand(count, generator=source) < 0.5
    amount[:, 1] = torch.where(down, -amount[:, 1], amount[:, 1])
    jitter = 0.06 * amount[:, 0, None, None, None] ** 2
    spoilt = torch.addcmul(points, jitter, torch.randn(points.shape, generator=source))
    angle = 2 * torch.pi * torch.rand(count, generator=source)
    speed = 0.8 * amount[:, 2]
    seconds = torch.arange(frames) / fps
    drift = torch.zeros(count, frames, 1, 3)
    drift[..., 0, 0] = (speed * angle.cos())[:, None] * seconds
    drift[..., 0, 1] = (0.12 * amount[:, 1])[:, None]
    drift[..., 0, 2] = (speed * angle.sin())[:, None] * seconds
    return spoilt + drift, amount


def inputs(points: Tensor, fps: float) -> Tensor:
    """Points (N, T, P, 3) -> channels (N, 8 P + 2, T): positions about the root, its path, velocities, log-jerk, and
    the log of how fast points near the floor move over it (without it, a slide of .3 m/s hardly shows).

    All of them are per second, so that they mean the same at every frame rate.
    """
    root = points[:, :, :1] * torch.tensor([1.0, 0.0, 1.0])
    path = (root - root[:, :1])[:, :, 0, ::2]
    about = (points - root).flatten(2) * 2
    velocity = points.diff(dim=1).flatten(2) * (fps / 5)
    velocity = torch.cat([velocity, velocity[:, -1:]], dim=1)
    jerk = points.diff(n=3, dim=1).norm(dim=-1) * fps**3
    jerk = torch.log(30 + jerk) - 5.3  # about -1..1 on real motion
    jerk = torch.cat([jerk[:, :1], jerk, jerk[:, -1:], jerk[:, -1:]], dim=1)
    over_floor = points.diff(dim=1)[..., [0, 2]].norm(dim=-1) * fps
    over_floor = torch.cat([over_floor, over_floor[:, -1:]], dim=1)
    near_floor = torch.sigmoid((0.06 - points[..., 1]) / 0.015)
    slide = (torch.log(0.1 + over_floor) + 2.3) * near_floor
    return torch.cat([about, path, velocity, jerk, slide], dim=-1).transpose(1, 2)


def points_of(batch: MotionBatch) -> NDArray[np.float32]:
    """(N, T, P, 3) evaluation points of a batch."""
    return evaluation_points(batch.skeleton, *batch.world())


def evaluation_points(skeleton: Skeleton, positions_m: Array, rotations_wxyz: Array) -> NDArray[np.float32]:
    """Joints that do not coincide with their parent, and toe tips.

    World positions (N, T, J, 3) and rotations (N, T, J, 4) -> points (N, T, P, 3).
    """
    found = [
        positions_m[:, :, joint] + (R.rotate(rotations_wxyz[:, :, joint], tip) if tip is not None else 0.0)
        for joint, tip in _points_of(skeleton)
    ]
    return np.stack(found, axis=2).astype(np.float32)


def _points_of(skeleton: Skeleton) -> list[tuple[int, Array | None]]:
    """Joint and offset in its frame (None = the joint itself) of every evaluation point; the root is the first."""
    joints = [j for j in range(skeleton.joint_count) if j == 0 or np.linalg.norm(skeleton.offsets_m[j]) > 0.03]
    tips = zip(skeleton.feet, skeleton.toe_tips_m, strict=True) if skeleton.toe_tips_m else ()
    return [(j, None) for j in joints] + [(foot, np.array(tip)) for foot, tip in tips]
