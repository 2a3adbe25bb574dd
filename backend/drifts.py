"""The verdict on every generation of a loop, as REST and the command line show it."""

from statistics import fmean

from backend import loops, measures
from backend.context import Backend
from backend.drift import NEEDED, Band, Setting, Verdict, bands_of, drift_of
from backend.parts import domain_part
from backend.views import View


class GenerationDrift(View):
    """What a generation's FID is made of, and what to do about it.

    Attributes:
        fid_snapped: FID once every sample is exchanged for its nearest real training one of its class.
        artefact_share: of FID above its floor, the share that snapping takes away; None where it was not measured.
        modes_in_use: effective number of real training samples that generated ones are nearest to, relative to as many
            real samples.
        verdict: ``start`` (generation 0), ``noise`` (nothing has drifted), ``artefacts``, ``modes``, or ``unclear``.
        sentence: the verdict in words, with the cure.
        detail: the figures behind it.
    """

    generation: int
    fid: float
    fid_snapped: float
    artefact_share: float | None
    modes_in_use: float
    verdict: Verdict
    sentence: str
    detail: str


class DriftView(View):
    """A loop's drift by generation.

    Attributes:
        floor: FID of as many held-out real samples; None before generation 0 has been measured.
        noise: by figure (fid, fid_snapped, artefacts, mode_share, multimodality) the interval in which one more draw
            from generation 0 lies with a chance of 95 %.
        generations: first to last; empty where nothing can be said.
        why: in words, where it is empty.
    """

    loop: str
    floor: float | None
    noise: dict[str, Band]
    generations: list[GenerationDrift]
    why: str = ""


def drift(backend: Backend, loop_id: str) -> DriftView:
    """A loop's drift.

    Raises:
        NotFound: when there is no such loop.
    """
    loop, recorded = loops.show_loop(backend, loop_id), loops.generations(backend, loop_id)
    doubt, floors = measures.doubts(backend, [loop_id]).get(loop_id), measures.floor(backend, loop_id).get("fid")
    floor, noise = fmean(floors) if floors else None, {} if doubt is None else doubt.noise
    setting = Setting.of([loop.config])
    found = []
    for each in recorded:
        said = drift_of(each.index, each.metrics, noise, setting, floor)
        if said is not None:
            found.append(GenerationDrift(
                generation=each.index, fid=each.metrics["fid"], fid_snapped=each.metrics["fid_snapped"],
                artefact_share=each.metrics.get("validity_share"), modes_in_use=each.metrics["mode_share"],
                verdict=said.verdict, sentence=said.sentence, detail=said.detail,
            ))  # fmt: skip
    why = "" if found else _why(str(loop.config.get("domain", "motion")), measured=bool(recorded))
    return DriftView(loop=loop_id, floor=floor, noise=bands_of(noise) if found else {}, generations=found, why=why)


def _why(domain: str, *, measured: bool) -> str:
    """Why nothing can be said of a loop."""
    if not set(NEEDED) <= set(domain_part(domain).metrics):
        return f"Loops of the domain {domain!r} do not measure what drift is made of; those of motion do."
    if not measured:
        return "Generation 0 has not been measured yet."
    return "This loop was measured before drift was; clone it to measure it."
