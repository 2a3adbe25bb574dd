"""The self-consuming loop, whole.

    generation 0:   learn(real)                                             -> panel, evaluate
    generation t:   synthesize(G[t-1])  ->  correct  ->  learn(compose)     -> panel, evaluate

Stages find what they need on a shelf and leave there what they made, so that one process can run them in order
(:func:`run_loop`) and a fleet of workers can run each one as soon as what it needs is there (:func:`ready_stages`).
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.config import LoopConfig, digest
from core.panel import balanced_labels, panel_labels, prompted, shown
from core.policies import Policy, compose
from core.protocols import Corrector, Domain, Doubter, Memo, Reference, Shelf, Tick, cost_of, silent
from core.records import GenerationRecord, Item, Outcome, count_statuses, usable
from core.redraw import redraw_rejected
from core.seeds import seed_for
from core.threads import threads

TAIL_LEVEL = 0.05  # the share of real data beyond the bound that the metric "tail" counts by
PART_S, MOST_PARTS = 1.0, 64
"""Work of one part of a correct stage, seconds of one core by the corrector's own word: small enough to spread over
workers, large enough to be worth a lease; and how many leases are enough for any fleet."""


@dataclass(frozen=True)
class Run:
    """A loop about to run: its config and the parts built from it.

    Attributes:
        corrector: None when nothing is corrected.
        panel_corrector: what the panel is shown corrected by.
    """

    config: LoopConfig
    domain: Domain
    policy: Policy
    corrector: Corrector | None
    panel_corrector: Corrector
    shelf: Shelf
    memo: Memo
    tick: Tick = field(default=silent)

    def seed(self, t: int, stage: str, part: int = 0) -> Any:
        """What a stage draws its random numbers from: an int; a :data:`core.seeds.Seed` where loops are stacked."""
        return seed_for(self.config.seed, t, stage, part)

    @property
    def eye(self) -> Corrector:
        """What samples are shown corrected by: the loop's own corrector, or the panel's where it has none."""
        return self.panel_corrector if self.corrector is None else self.corrector

    @property
    def reference(self) -> Reference:
        return Reference(self.domain.real(self.config.n), f"{self.domain.digest}-{self.config.n}", self.memo)


def run_loop(
    run: Run, *, start: int = 0, on_stage: Callable[[int, str], None] | None = None
) -> Iterator[GenerationRecord]:
    """Run generations ``start``..``config.generations`` in this process, yielding a record after each."""
    for t in range(start, run.config.generations + 1):
        seconds: dict[str, float] = {}
        for stage in stages_of(run.config, t):
            if on_stage is not None:
                on_stage(t, stage)
            began = time.perf_counter()
            for part in range(parts_of(run, stage)):
                perform(run, t, stage, part)
            seconds[stage] = time.perf_counter() - began
        yield record_of(run.shelf, t, seconds)


def perform(run: Run, t: int, stage: str, part: int = 0) -> None:
    """Do one stage, with the same numbers on few cores and on many: only learning uses more threads than one, and as
    many as the config says."""
    if stage != "correct" or run.config.correction.rejected == "redraw":
        run.domain.generator()  # only what is imported by now is held back
    with threads(run.config.training.threads if stage == "learn" else 1):
        STAGES[stage](run, t, part)


def learn(run: Run, t: int, part: int = 0) -> None:
    """Train generation t on what the policy composes; generation 0 is shared by all loops that begin alike."""
    del part
    config, generator = run.config, run.domain.generator()
    real = run.domain.real(config.n)
    if t == 0:
        made: list[Item] = []  # stays empty where somebody else has made it
        checkpoint = run.memo.get(
            f"generation-0-{_name_of_generation_zero(run)}",
            lambda: _noted(made, generator.fit(
                real, start=None, scratch=False, steps=config.training.initial_steps,
                seed=run.seed(0, "learn"), tick=run.tick,
            )),
            run.tick,
        )  # fmt: skip
        checkpoint = replace(checkpoint, pace=made[0].pace if made else {})
        counts = {"real": len(real), "synthetic": 0}
    else:
        sets = {k: _synthetic_set(run, k) for k in run.policy.past_generations(t)}
        fresh = run.policy.fresh_count(config.n)
        training_set = compose(
            run.policy, real, [(k, samples) for k, (samples, _) in sets.items() if len(samples)],
            fresh=run.domain.fresh_real(fresh, t) if fresh else None, seed=seed_for(config.seed, t, "compose"),
        )  # fmt: skip
        scratch = config.training.mode == "from-scratch"
        checkpoint = generator.fit(
            training_set.samples,
            start=run.shelf.load(0 if scratch else t - 1, "model"),
            scratch=scratch,
            steps=config.training.initial_steps if scratch else config.training.steps,
            seed=run.seed(t, "learn"),
            tick=run.tick,
        )
        real_count = int((training_set.origin == 0).sum())
        counts = {"real": real_count, "synthetic": len(training_set.origin) - real_count}
        counts |= sets[t][1] if t in sets else {}
    run.shelf.save(t, "model", replace(checkpoint, meta={**checkpoint.meta, "counts": counts}))


def synthesize(run: Run, t: int, part: int = 0) -> None:
    """Draw generation t's synthetic training set from generation t-1, classes balanced as in the real data."""
    del part
    config = run.config
    count = run.policy.synthetic_count(config.n)
    labels = balanced_labels(run.domain.real(config.n).labels, count)
    samples = run.domain.generator().sample(
        run.shelf.load(t - 1, "model"),
        labels,
        guidance=config.sampling.guidance_synthesis,
        seed=run.seed(t, "synthesize"),
        tick=run.tick,
    )
    run.shelf.save(t, "raw", Item(samples.arrays(), {"parts": parts_of(run, "correct")}))


def correct(run: Run, t: int, part: int) -> None:
    """Correct one share of generation t's synthetic training set; draw what is rejected anew, if the loop says so."""
    if run.corrector is None:
        raise ValueError("a loop without a corrector has no correct stage")
    config, raw = run.config, run.shelf.load(t, "raw")
    samples, parts = run.domain.real(config.n).with_arrays(raw.arrays), _parts_planned(run, raw)
    rows, seed = _rows(part, parts, len(samples)), run.seed(t, "correct")
    corrections = run.corrector.correct(samples, rows=rows, seed=seed, tick=run.tick)
    drawn = np.zeros(len(corrections.outcomes), dtype=np.int64)
    if config.correction.rejected == "redraw":

        def draw(row: int, attempt: int) -> Any:
            fresh = run.domain.generator().sample(
                run.shelf.load(t - 1, "model"),
                samples.labels[row : row + 1],
                guidance=config.sampling.guidance_synthesis,
                seed=run.seed(t, f"redraw-{attempt}", row),
            )
            return samples.with_arrays(fresh.arrays())

        corrections, drawn = redraw_rejected(
            run.corrector, samples, rows, corrections, draw,
            attempts=config.correction.attempts, seed=seed, tick=run.tick,
        )  # fmt: skip
    item = corrections.as_item()
    outcomes = [o | {"redrawn": int(n)} for o, n in zip(item.meta["outcomes"], drawn, strict=True)]
    run.shelf.save(t, f"corrected-{part}", Item(item.arrays, {"outcomes": outcomes, "parts": parts}))


def panel(run: Run, t: int, part: int = 0) -> None:
    """Draw the fixed panel (same labels and noise in every generation and loop), raw and corrected, for the eye; after
    it one sample per prompt."""
    del part
    config, real = run.config, run.domain.real(run.config.n)
    model, generator = _first_seed(run.shelf.load(t, "model"), config.replicates), run.domain.generator()
    guidance, prompts = config.sampling.guidance_evaluation, config.evaluation.prompts
    labels = panel_labels(real.labels, config.evaluation.panel)
    raw = generator.sample(model, labels, guidance=guidance, seed=seed_for(0, 0, "panel"))
    if prompts:
        seed = seed_for(0, 0, "prompts")
        raw = raw.concat([prompted(generator, model, prompts, guidance=guidance, seed=seed, tick=run.tick)])
    items = shown(run.domain, real, raw, run.eye, seed=run.seed(t, "panel-correct"), tick=run.tick)
    run.shelf.save(t, "panel-raw", replace(items["raw"], meta={"prompts": list(prompts)} if prompts else {}))
    run.shelf.save(t, "panel-real", items["real"])
    run.shelf.save(t, "panel-corrected", items["corrected"])


def evaluate(run: Run, t: int, part: int = 0) -> None:
    """Measure generation t on fresh samples, drawn with the evaluation's guidance, against held-out real data.

    Generation 0 is drawn a few times more: how its metrics vary is the noise that later drift is held against.
    """
    del part
    config = run.config
    judge = run.domain.evaluator(run.tick)
    samples, outcomes = _measured_samples(run, t)
    model = run.shelf.load(t, "model")
    measured = {name: np.asarray(value, np.float64) for name, value in judge.measure(samples, model).items()}
    tails = judge.tails(samples, model)
    if tails is not None:
        measured["tail"] = tails.beyond(TAIL_LEVEL)
    meta: dict[str, Any] = {
        "metrics": {name: float(values.mean()) for name, values in measured.items()},
        "output": count_statuses([o.as_dict() for o in outcomes]),
    }
    if config.replicates > 1:
        meta["traces"] = {name: values.tolist() for name, values in measured.items() if values.ndim}
    if t == 0:
        meta["floor"] = judge.floor(config.evaluation.samples)
        if isinstance(judge, Doubter):
            name = digest([_name_of_generation_zero(run), *_parts_of_measured_samples(config)])
            again = judge.noise(name, lambda k: _measured_samples(run, 0, draw=k)[0], run.tick)
            meta["noise"] = {name: [meta["metrics"][name], *values] for name, values in again.items()}
            meta["caveats"] = judge.caveats(config.evaluation.samples)
    pictured = tails.as_item() if tails is not None else Item()
    run.shelf.save(t, "metrics", Item(pictured.arrays, meta | pictured.meta))


STAGES: dict[str, Callable[[Run, int, int], None]] = {
    "synthesize": synthesize,
    "correct": correct,
    "learn": learn,
    "panel": panel,
    "evaluate": evaluate,
}


def corrects_in_loop(config: LoopConfig) -> bool:
    """Whether the next generation learns from corrected samples."""
    return config.corrector.kind != "none" and config.correction.where in ("loop", "both")


def stages_of(config: LoopConfig, t: int) -> tuple[str, ...]:
    """The stages of generation t, in an order in which one process can run them."""
    synthesizes = t > 0 and config.policy.kind != "real"
    before = ("synthesize",) if synthesizes else ()
    between = ("correct",) if synthesizes and corrects_in_loop(config) else ()
    return (*before, *between, "learn", "panel", "evaluate")


def parts_of(run: Run, stage: str) -> int:
    """How many parts a stage is done in; the same wherever it runs."""
    if stage != "correct" or run.corrector is None or not run.corrector.splittable:
        return 1
    count = run.policy.synthetic_count(run.config.n)
    parts = round(count * cost_of(run.corrector) / PART_S)
    return max(1, min(count, MOST_PARTS, parts if parts < 3 else -(-parts // 4) * 4))  # 2 or 4 workers end together


def needs_of(config: LoopConfig, t: int, stage: str) -> tuple[tuple[int, str], ...]:
    """What must be published before a stage can start."""
    stages = stages_of(config, t)
    if stage in ("panel", "evaluate"):
        return ((t, "learn"),)
    position = stages.index(stage)
    if position > 0:
        return ((t, stages[position - 1]),)
    return ((t - 1, "learn"),) if t > 0 else ()


def ready_stages(config: LoopConfig, done: Collection[tuple[int, str]]) -> list[tuple[int, str]]:
    """Stages that are not done and lack nothing, earliest generation first."""
    found = []
    for t in range(config.generations + 1):
        for stage in stages_of(config, t):
            if (t, stage) not in done and all(need in done for need in needs_of(config, t, stage)):
                found.append((t, stage))
        if (t, "learn") not in done:
            break  # nothing later can start
    return found


def record_of(shelf: Shelf, t: int, seconds: Mapping[str, float]) -> GenerationRecord:
    """Generation t's record from what its stages left on the shelf."""
    model, judged = shelf.load(t, "model"), shelf.load(t, "metrics").meta
    return GenerationRecord(t, judged["metrics"], model.meta["counts"], model.meta["training"], seconds, model.pace)


def _noted(made: list[Item], item: Item) -> Item:
    made.append(item)
    return item


def _measured_samples(run: Run, t: int, draw: int = 0) -> tuple[Any, tuple[Outcome, ...]]:
    """What generation t is measured on, corrected where the output is, and what correcting did; a fresh draw for every
    ``draw``."""
    config = run.config
    samples = run.domain.generator().sample(
        run.shelf.load(t, "model"),
        balanced_labels(run.domain.real(config.n).labels, config.evaluation.samples),
        guidance=config.sampling.guidance_evaluation,
        seed=run.seed(t, "evaluate", draw),
        tick=run.tick,
    )
    if run.corrector is None or config.correction.where not in ("output", "both"):
        return samples, ()
    corrections = run.corrector.correct(samples, seed=run.seed(t, "evaluate-correct", draw), tick=run.tick)
    return corrections.samples, corrections.outcomes


def _synthetic_set(run: Run, k: int) -> tuple[Any, dict[str, int]]:
    """S_k, corrected where the loop corrects (rejected ones dropped or let in raw), and how many had which outcome."""
    real = run.domain.real(run.config.n)
    if not corrects_in_loop(run.config):
        return real.with_arrays(run.shelf.load(k, "raw").arrays), {}
    items = [run.shelf.load(k, "corrected-0")]
    items += [run.shelf.load(k, f"corrected-{part}") for part in range(1, _parts_planned(run, items[0]))]
    first, *others = (real.with_arrays(_samples_only(item.arrays)) for item in items)
    samples = first.concat(others) if others else first
    outcomes = [outcome for item in items for outcome in item.meta["outcomes"]]
    counts = count_statuses(outcomes)
    if run.config.correction.rejected == "redraw":
        counts["redrawn"] = sum(outcome.get("redrawn", 0) > 0 for outcome in outcomes)
    if run.config.correction.rejected != "keep raw":
        counts["dropped"] = counts["rejected"]
        samples = samples.take(np.flatnonzero(usable(outcomes))) if counts["rejected"] else samples
    return samples, counts


def _parts_planned(run: Run, item: Item) -> int:
    """In how many parts a set is (or was) corrected: as many as were queued, whatever a corrector costs by now."""
    once = -(-run.policy.synthetic_count(run.config.n) // 32)  # of sets that do not say, made before they did
    return int(item.meta.get("parts", once))


def _first_seed(model: Item, replicates: int) -> Item:
    """The checkpoint of the first of the seeds that run at once: their axis comes first in all its arrays."""
    return model if replicates == 1 else replace(model, arrays={k: v[:1] for k, v in model.arrays.items()})


def _samples_only(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in arrays.items() if not name.startswith("track.")}


def _rows(part: int, parts: int, count: int) -> slice:
    return slice(part * count // parts, (part + 1) * count // parts)


def _name_of_generation_zero(run: Run) -> str:
    """Loops that begin alike have it in common."""
    return digest([run.domain.digest, run.config.n, *_parts_of_generation_zero(run.config)])


def _parts_of_measured_samples(config: LoopConfig) -> list[Any]:
    """What shapes the samples that are measured, beside the checkpoint."""
    sampling = config.sampling.model_dump(mode="json", exclude={"guidance_synthesis"})
    at_output = config.correction.where in ("output", "both")
    return [sampling, config.evaluation.samples, config.corrector.model_dump(mode="json") if at_output else None]


def _parts_of_generation_zero(config: LoopConfig) -> list[Any]:
    """Everything that generation 0 depends on beside the data: loops that agree on it share it."""
    training = config.training.model_dump(mode="json")
    for later in ("mode", "steps", "fine_tune_learning_rate"):
        del training[later]
    return [config.model.model_dump(mode="json"), training, config.seed, config.replicates]
