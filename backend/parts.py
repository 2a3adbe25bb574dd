"""Puts a loop's parts together: the only place that knows the registries of model and corrector alike."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.config import LoopConfig, PartConfig, digest, parse, with_changes
from core.errors import InvalidConfig, UnknownPart
from core.loop import Run
from core.memory import MemoryMemo, MemoryShelf
from core.policies import POLICIES
from core.protocols import (
    Corrections,
    Corrector,
    Domain,
    DomainPart,
    Memo,
    Part,
    Reference,
    Shelf,
    Tick,
    cost_of,
    silent,
)
from core.tripwires import parse_tripwire

NONE = "none"
ANYWHERE = (NONE, "chain")  # correctors that fit every domain
SECTIONS = ("correction", "training", "sampling", "evaluation")
PARTS = ("data", "policy", "corrector", "model")


def catalogue(domain: str | None = None) -> dict[str, dict[str, Part]]:
    """Every exchangeable part, by the field of the config that names it; only those of a domain, where one is asked.

    Raises:
        UnknownPart: for a domain that there is not.
    """
    from corrector.registry import CORRECTORS
    from model.domains import DOMAINS, all_data, all_models

    if domain is None:
        return {
            "policy": POLICIES, "corrector": CORRECTORS, "data": all_data(), "model": all_models(),
            "domain": dict(DOMAINS),
        }  # fmt: skip
    entry = domain_part(domain)
    fitting = {kind: part for kind, part in CORRECTORS.items() if kind in (*ANYWHERE, *entry.correctors)}
    return {
        "policy": POLICIES, "corrector": fitting, "data": dict(entry.data), "model": dict(entry.models),
        "domain": {domain: entry},
    }  # fmt: skip


def domain_part(kind: str) -> DomainPart:
    """A domain's registry entry.

    Raises:
        UnknownPart: naming those that there are.
    """
    from model.domains import DOMAINS

    if kind not in DOMAINS:
        raise UnknownPart("domain", kind, DOMAINS, "domain")
    return DOMAINS[kind]


def read_config(plain: Any, field: str = "") -> LoopConfig:
    """A config from plain data; what it does not say is as its domain starts (not as a motion loop would).

    Raises:
        InvalidConfig: naming the field.
    """
    kind = plain.get("domain", "motion") if isinstance(plain, Mapping) else None
    if not isinstance(kind, str):
        return parse(LoopConfig, plain, field)
    data = with_changes(LoopConfig(), {"domain": kind, **domain_part(kind).start}).model_dump(mode="json")
    for name, value in plain.items():
        known = data.get(name)
        if name in SECTIONS and isinstance(known, dict) and isinstance(value, Mapping):
            data[name] = known | dict(value)
        elif name in PARTS and isinstance(known, dict) and isinstance(value, Mapping):
            same = value.get("kind", known["kind"]) == known["kind"]
            given = value.get("options") or {}
            if isinstance(given, Mapping):
                given = (known["options"] if same else {}) | dict(given)
            data[name] = known | dict(value) | {"options": given}
        else:
            data[name] = value
    return parse(LoopConfig, data, field)


def check(config: LoopConfig) -> LoopConfig:
    """The config with every part's options checked and defaults filled in.

    Raises:
        UnknownPart, InvalidConfig: naming the field, e.g. ``corrector.options.gamma``.
        DataMissing: when the data set's files are not there.
    """
    domain = domain_part(config.domain)
    parts = catalogue(config.domain)
    panel_corrector = _checked(parts["corrector"], config.evaluation.panel_corrector, "evaluation.panel_corrector")
    checked = config.model_copy(
        update={
            "data": _checked(parts["data"], config.data, "data"),
            "policy": _checked(parts["policy"], config.policy, "policy"),
            "corrector": _checked(parts["corrector"], config.corrector, "corrector"),
            "model": _checked(parts["model"], config.model, "model"),
            "evaluation": config.evaluation.model_copy(update={"panel_corrector": panel_corrector}),
        }
    )
    _check_tripwires(checked, domain)
    if config.evaluation.prompts and not domain.prompted:
        raise InvalidConfig(
            f"No model of the domain {config.domain!r} is told sentences, so prompts would change nothing.",
            "Leave them out.",
            "evaluation.prompts",
        )
    domain.check(checked)  # what is missing is said now, not by the first stage
    _build(parts["model"], checked.model, "model")  # cheap, and some options only fit together or not
    policy = _build(parts["policy"], checked.policy, "policy")
    if checked.policy.kind != "real" and policy.synthetic_count(config.n) < 1:
        raise InvalidConfig(
            f"The policy {config.policy.kind!r} would draw no synthetic sample for n = {config.n}.",
            "Choose a larger lambda, or the policy 'real' for a control.",
            "policy.options",
        )
    if domain.light and checked.corrector.kind != NONE:
        _check_corrector(checked)
    return checked


def _check_tripwires(config: LoopConfig, domain: DomainPart) -> None:
    """Stop rules speak of metrics that the domain measures.

    Raises:
        UnknownPart: naming the rule's place and those metrics.
    """
    for i, rule in enumerate(config.tripwires):
        metric = parse_tripwire(rule).condition.metric
        if metric and metric not in domain.metrics:
            raise UnknownPart("metric", metric, domain.metrics, f"tripwires.{i}")


def _check_corrector(config: LoopConfig) -> None:
    """Some correctors need what not every domain has (a known density, say): try on two samples of one seed.

    Raises:
        InvalidConfig: what the corrector says.
    """
    run = build_run(config.model_copy(update={"replicates": 1}), shelf=MemoryShelf(), memo=_TRIAL)
    if run.corrector is not None:
        run.corrector.correct(run.domain.real(config.n).take(slice(0, 2)))


def build_run(config: LoopConfig, *, shelf: Shelf, memo: Memo, tick: Tick = silent, device: str = "auto") -> Run:
    """A run of the config's parts. Domains and correctors are kept, so that a worker builds them once.

    Raises:
        UnknownPart, InvalidConfig: when the config cannot be.
        DataMissing: when the data set's files are not there.
    """
    domain = build_domain(config, memo, device)
    truth = getattr(domain, "truth", None)
    reference = Reference(domain.real(config.n), f"{domain.digest}-{config.n}", memo, truth)
    return Run(
        config=config,
        domain=domain,
        policy=_build(POLICIES, config.policy, "policy"),
        corrector=None if config.corrector.kind == NONE else _corrector(config.corrector, reference, "corrector"),
        panel_corrector=_corrector(config.evaluation.panel_corrector, reference, "evaluation.panel_corrector"),
        shelf=shelf,
        memo=memo,
        tick=tick,
    )


def build_domain(config: LoopConfig, memo: Memo, device: str = "auto") -> Domain:
    """The domain of a config; the same object for configs that agree on what it depends on."""
    part = domain_part(config.domain)
    of_draws = {"n", "seed", "replicates"}  # the real data of a light domain are drawn for each seed
    include = {"domain", "data", "model", "training", "sampling"} | (of_draws if part.light else {"n"})
    key = (digest(config.model_dump(mode="json", include=include)), device)
    domain: Domain = _KEPT.get(key, memo, lambda: part.build(config, memo, device))
    return domain


@dataclass(frozen=True)
class LazyCorrector:
    """A corrector built when it is first asked: most stages never need theirs."""

    build: Callable[[], Corrector]

    @property
    def splittable(self) -> bool:
        return self.build().splittable

    @property
    def cost_s(self) -> float:
        return cost_of(self.build())

    def correct(self, samples: Any, *, rows: slice = slice(None), seed: int = 0, tick: Tick = silent) -> Corrections:
        return self.build().correct(samples, rows=rows, seed=seed, tick=tick)


def _corrector(part: PartConfig, reference: Reference, field_name: str) -> Corrector:
    from corrector.registry import CORRECTORS

    key, memo = ("corrector", digest(part), reference.digest), reference.memo
    return LazyCorrector(lambda: _KEPT.get(key, memo, lambda: _build(CORRECTORS, part, field_name, reference)))


def _checked(registry: dict[str, Part], part: PartConfig, field_name: str) -> PartConfig:
    if part.kind not in registry:
        what = "corrector" if ".parts." in field_name else field_name.split(".")[-1].replace("_", " ")
        raise UnknownPart(what, part.kind, registry, f"{field_name}.kind")
    options = parse(registry[part.kind].options, part.options, f"{field_name}.options")
    plain = options.model_dump(mode="json")
    for name, value in options:
        if isinstance(value, list) and any(isinstance(inner, PartConfig) for inner in value):  # a chain's parts
            plain[name] = [
                _checked(registry, inner, f"{field_name}.options.{name}.{i}").model_dump(mode="json")
                for i, inner in enumerate(value)
            ]
    return PartConfig(kind=part.kind, options=plain)


def _build(registry: dict[str, Part], part: PartConfig, field_name: str, *needs: Any) -> Any:
    entry = registry[_checked(registry, part, field_name).kind]
    return entry.build(parse(entry.options, part.options, f"{field_name}.options"), *needs)


@dataclass
class _Kept:
    """The last few things built by this process, with the memo that each was built over: it is kept too, so that no
    other one gets its id. Building twice at once costs time only."""

    count: int
    things: "OrderedDict[Any, tuple[Memo, Any]]" = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Any, memo: Memo, build: Callable[[], Any]) -> Any:
        whole = (key, id(memo))
        with self.lock:
            if whole in self.things:
                self.things.move_to_end(whole)
                return self.things[whole][1]
        thing = build()
        with self.lock:
            self.things[whole] = memo, thing
            while len(self.things) > self.count:
                self.things.popitem(last=False)
        return thing


_KEPT = _Kept(16)
_TRIAL = MemoryMemo()
