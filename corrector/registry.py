"""Every corrector by its kind. Importing this is cheap; PyBullet, SciPy and scikit-learn load when they are used."""

from core.config import Options
from core.policies import NoOptions
from core.protocols import Corrector, Part, Reference, Tick, silent
from corrector.chain import ChainOptions, build_chain
from corrector.idealized import IdealizedOptions, build_idealized
from corrector.kmeans import KMeansOptions, build_kmeans
from corrector.minimal import BoundsSource, Kinematic, KinematicOptions, Unchanged
from corrector.physics import Physics, PhysicsOptions
from corrector.quality import QualityOptions, build_quality


def _none(options: Options, reference: Reference | None, tick: Tick = silent) -> Corrector:
    del options, reference, tick
    return Unchanged()


def _kinematic(options: KinematicOptions, reference: Reference | None, tick: Tick = silent) -> Corrector:
    del tick
    return Kinematic(options, BoundsSource(reference))


def _physics(options: PhysicsOptions, reference: Reference | None, tick: Tick = silent) -> Corrector:
    del tick
    return Physics(options, BoundsSource(reference))


def _idealized(options: IdealizedOptions, reference: Reference | None, tick: Tick = silent) -> Corrector:
    del tick
    return build_idealized(options, reference)


def _kmeans(options: KMeansOptions, reference: Reference | None, tick: Tick = silent) -> Corrector:
    del tick
    return build_kmeans(options, reference)


def _quality(options: QualityOptions, reference: Reference | None, tick: Tick = silent) -> Corrector:
    del tick
    return build_quality(options, reference)


def _chain(options: ChainOptions, reference: Reference | None, tick: Tick = silent) -> Corrector:
    return build_chain(options, reference, tick, CORRECTORS)


CORRECTORS: dict[str, Part] = {
    "none": Part("None", "Leaves every sample as it is.", NoOptions, _none),
    "kinematic": Part(
        "Kinematic",
        "De-noises, puts on the floor and anchors the standing foot, only outside the bounds of real motion.",
        KinematicOptions,
        _kinematic,
    ),
    "physics": Part(
        "Physics",
        "The kinematic steps, then a simulated body follows the motion; real motion is left alone.",
        PhysicsOptions,
        _physics,
    ),
    "idealized": Part(
        "Idealized",
        "Brings samples towards real ones of their class, with strength gamma (needs real data).",
        IdealizedOptions,
        _idealized,
    ),
    "kmeans": Part(
        "K-means",
        "Snaps each sample to the nearest of a few centres of its class, learned on real samples (images, points).",
        KMeansOptions,
        _kmeans,
    ),
    "quality": Part(
        "Quality filter",
        "Keeps the best share of each class by its likeness to real samples, and rejects the rest.",
        QualityOptions,
        _quality,
    ),
    "chain": Part("Chain", "Several correctors one after another, with a strength.", ChainOptions, _chain),
}
"""``CORRECTORS[kind].build(options, reference, tick)``; reference None where no real samples are at hand."""
