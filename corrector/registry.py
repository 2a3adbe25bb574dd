"""Every corrector by its kind. Importing this is cheap; PyBullet and SciPy load when a motion is corrected."""

from core.config import Options
from core.policies import NoOptions
from core.protocols import Corrector, Part, Reference, Tick, silent
from corrector.chain import ChainOptions, build_chain
from corrector.idealized import IdealizedOptions, build_idealized
from corrector.minimal import BoundsSource, Kinematic, KinematicOptions, Unchanged
from corrector.physics import Physics, PhysicsOptions


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
        "Pulls each sample towards a real window matched one to one inside its class (needs real data).",
        IdealizedOptions,
        _idealized,
    ),
    "chain": Part("Chain", "Several correctors one after another, with a strength.", ChainOptions, _chain),
}
"""``CORRECTORS[kind].build(options, reference, tick)``; reference None where no real windows are at hand."""
