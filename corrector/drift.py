"""The steady part of the speed of standing feet: what slides with the whole body, window-long or slowly changing."""

import numpy as np
from numpy.typing import NDArray

from core import rotations as R
from corrector.contacts import Soles
from corrector.filters import smoothstep
from corrector.fitting import Wish, fit

Array = R.Array

SLIP_M_S = 0.2  # a foot whose speed is further from the drift than this does not agree about it
STILL_M_S, STEADY_M_S2, STEADY_S = 1.0, 0.1, 1.0  # tolerances: of any drift, of its change, how long agreement counts
LEAST_STEADY, FULL_STEADY = 0.4, 0.55  # agreement among the standing feet, 0..1
DRIFT_M_S = 0.1  # slower ones are real; twice that goes wholly
PASSES = 4


def drift_of(soles: Soles, stance: NDArray[np.bool_], fps: float, scale: float) -> Array:
    """(N, T - 1, 2) velocity along x and z from frame to frame that should be taken away.

    The speed of the standing feet is fitted by a slowly changing one, reweighted (Geman & McClure 1987) so that feet
    that step, roll or twist do not count; it is kept where most standing feet agree and it is faster than real ones.

    Args:
        soles: the feet's steps, from :func:`corrector.contacts.soles_of`.
        stance: (N, T, F) which foot stands.
        scale: leg length over the reference leg.
    """
    step = soles.step_m[..., [0, 2]] * fps
    count, between = step.shape[:2]
    both = (stance[:, 1:] & stance[:, :-1]).astype(np.float64)
    agreeing: Array = both
    velocity: Array = np.zeros((count, between, 2))
    none, steady = Wish(0, np.array(STILL_M_S**-2.0)), Wish(1, np.array(STEADY_M_S2**-2.0))
    for _ in range(PASSES):
        total = agreeing.sum(-1)
        mean = (step * agreeing[..., None]).sum(2) / np.maximum(total, 1e-9)[..., None]
        velocity = fit(count, between, 2, fps, [Wish(0, total / SLIP_M_S**2, mean), none, steady])
        off = ((step - velocity[:, :, None]) ** 2).sum(-1)
        agreeing = both / (1.0 + off / SLIP_M_S**2) ** 2
    share = (agreeing.sum(-1) / np.maximum(both.sum(-1), 1.0))[..., None]
    wishes = [Wish(0, both.sum(-1), share), Wish(0, np.array(0.01)), Wish(1, np.array(STEADY_S**2))]
    agreement = fit(count, between, 1, fps, wishes)[..., 0]
    kept = smoothstep(np.linalg.norm(velocity, axis=-1) / (DRIFT_M_S * scale) - 1.0)
    kept *= smoothstep((agreement - LEAST_STEADY) / (FULL_STEADY - LEAST_STEADY))
    return np.asarray(kept[..., None] * velocity)
