"""What a loop's drift is made of, and the cure, in one sentence.

FID is split by snapping every motion to its nearest real one (:mod:`model.drift`): FID = (FID - snapped) + snapped,
the part of artefacts and the part of which motions are made. What each has gained since generation 0 adds up to the
drift. Whether it has gained anything is asked of several draws from generation 0: beyond the interval in which one more
of them would lie with a chance of 95 %, something has changed. There is no other threshold; the larger gain names the
cure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView

CHANCE = 0.95

Verdict = Literal["start", "noise", "artefacts", "modes", "unclear"]
NEEDED = ("fid", "fid_snapped", "mode_share", "multimodality")


@dataclass(frozen=True)
class Band:
    """Where one more draw lies with a chance of CHANCE."""

    low: float
    high: float

    @classmethod
    def of(cls, draws: Sequence[float]) -> "Band | None":
        """The prediction interval of a normal variable, mean +- t s sqrt(1 + 1 / K) (Hahn & Meeker 1991, ch. 4); None
        of fewer than two draws."""
        count = len(draws)
        if count < 2:
            return None
        from scipy.special import stdtrit

        half = float(stdtrit(count - 1, (1 + CHANCE) / 2)) * stdev(draws) * (1 + 1 / count) ** 0.5
        return cls(fmean(draws) - half, fmean(draws) + half)


@dataclass(frozen=True)
class Setting:
    """What of a loop's options decides which cures are left: whether its synthetic set is drawn with guidance, whether
    it learns from real data in every generation, whether its samples are corrected."""

    guided: bool
    keeps_real: bool
    corrects: bool

    @classmethod
    def of(cls, configs: Sequence[Mapping[str, Any]]) -> "Setting":
        """Of one line's loops, as plain configs: what holds for any of them."""
        return cls(
            guided=any(c["policy"]["kind"] != "real" and c["sampling"]["guidance_synthesis"] > 1 for c in configs),
            keeps_real=all(c["policy"]["kind"] != "replace" for c in configs),
            corrects=any(c["corrector"]["kind"] != "none" for c in configs),
        )


@dataclass(frozen=True)
class Drift:
    """The verdict on one generation.

    Attributes:
        sentence: what has drifted, and the cure.
        detail: the figures behind it.
    """

    generation: int
    verdict: Verdict
    sentence: str
    detail: str


def drift_of_loop(backend: "Backend", view: "LoopView") -> Drift | None:
    """The verdict on a loop's last generation; None where it cannot be told."""
    from backend import measures

    doubt = measures.doubts(backend, [view.id]).get(view.id)
    if doubt is None:
        return None
    floor = measures.floor(backend, view.id).get("fid")
    return drift_of(
        view.generation, view.latest, doubt.noise, Setting.of([view.config]), fmean(floor) if floor else None
    )


def bands_of(noise: Mapping[str, Sequence[float]]) -> dict[str, Band]:
    """Where one more draw from generation 0 lies, by each of NEEDED and ``artefacts`` (FID - snapped), from two draws
    on."""
    return {name: found for name, draws in _draws(noise).items() if (found := Band.of(draws)) is not None}


def _draws(noise: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    past = {name: list(noise[name]) for name in NEEDED}
    return past | {"artefacts": [a - b for a, b in zip(past["fid"], past["fid_snapped"], strict=True)]}


def drift_of(
    generation: int,
    now: Mapping[str, float],
    noise: Mapping[str, Sequence[float]],
    setting: Setting,
    floor: float | None = None,
) -> Drift | None:
    """The verdict on a generation; None where it, or generation 0, lacks one of NEEDED.

    Args:
        now: its metrics.
        noise: of several draws from generation 0.
        floor: FID of as many real samples.
    """
    if any(name not in now or len(noise.get(name, ())) < 2 for name in NEEDED):
        return None
    fid, artefacts = now["fid"], now["fid"] - now["fid_snapped"]
    past, usual = _draws(noise), bands_of(noise)
    snapping = (
        f"snapping every motion to its nearest real one would bring FID from {_n(fid)} to {_n(now['fid_snapped'])}"
    )
    in_use = f"{_percent(now['mode_share'])} of those that real data use are in use"
    detail = (
        f"FID {_n(fid)}, generation 0 {_range(usual['fid'])}; of it artefacts {_n(artefacts)}, generation 0 "
        f"{_range(usual['artefacts'])}; modes in use {_percent(now['mode_share'])}, generation 0 "
        f"{_percent(usual['mode_share'].low)} to {_percent(usual['mode_share'].high)}; within-class diversity "
        f"{_n(now['multimodality'])}, generation 0 {_range(usual['multimodality'])}. Ranges hold one more draw from "
        f"generation 0 with a chance of {_percent(CHANCE)}."
    )
    when = f"Generation {generation}: "
    if generation == 0:
        return Drift(0, "start", f"{when}the yardstick; what drifts shows from the next one on.", detail)
    if fid <= usual["fid"].high:
        within = f"FID {_n(fid)} is within the noise of generation 0 ({_range(usual['fid'])})"
        left = f", but {snapping}: correcting the output would help" if _mostly(artefacts, fid, floor) else ""
        return Drift(generation, "noise", f"{when}{within}{left or ': nothing to cure'}.", detail)
    more = artefacts > usual["artefacts"].high
    lost = now["mode_share"] < usual["mode_share"].low or now["multimodality"] < usual["multimodality"].low
    gained = artefacts - fmean(past["artefacts"]), now["fid_snapped"] - fmean(past["fid_snapped"])
    if more and gained[0] > gained[1]:
        return Drift(generation, "artefacts", f"{when}artefacts drift: {snapping}. {_correct(setting)}", detail)
    if lost:
        also = f"; artefacts are {_percent(gained[0] / sum(gained))} of the drift" if more else ""
        return Drift(generation, "modes", f"{when}modes are lost: {in_use}{also}. {_more_real(setting)}", detail)
    if more:
        return Drift(
            generation, "unclear",
            f"{when}artefacts are {_percent(gained[0] / sum(gained))} of the drift ({snapping}); the rest is in which "
            "motions are made, though no modes are lost: see which classes have moved. Correction cures the first "
            "part only.", detail,
        )  # fmt: skip
    return Drift(
        generation, "unclear",
        f"{when}FID {_n(fid)} is beyond the noise of generation 0 ({_range(usual['fid'])}), but neither artefacts nor "
        "lost modes are: see which classes have moved.", detail,
    )  # fmt: skip


def _mostly(artefacts: float, fid: float, floor: float | None) -> bool:
    """Whether artefacts are more than everything else that keeps FID above its floor."""
    return floor is not None and artefacts > max(fid - floor - artefacts, 0.0)


def _correct(setting: Setting) -> str:
    return "The corrector misses them: a stronger one is the cure." if setting.corrects else "Correction is the cure."


def _more_real(setting: Setting) -> str:
    guidance = "draw the synthetic set at guidance 1" if setting.guided else ""
    real = "use more real data" if setting.keeps_real else "keep real data in training"
    words = f"{guidance}, or {real}" if guidance else real
    return f"The cure: {words}."


def _n(value: float) -> str:
    return f"{value:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _range(band: Band) -> str:
    return f"{_n(band.low)} to {_n(band.high)}"
