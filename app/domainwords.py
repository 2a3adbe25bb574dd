"""What a loop's domain is called, and how its samples are looked at."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend import parts
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from core.protocols import DomainPart


def domain_of(config: Mapping[str, Any]) -> "DomainPart | None":
    """The domain of a stored config; None for one that is no more."""
    try:
        return parts.domain_part(str(config.get("domain", "motion")))
    except LoopscopeError:
        return None


def domain_title(config: Mapping[str, Any]) -> str:
    domain = domain_of(config)
    return domain.title if domain is not None else str(config.get("domain", ""))


def shows_motion(config: Mapping[str, Any]) -> bool:
    """Whether its samples are motions: those are watched in 3-D, and a corrector can be audited on them."""
    domain = domain_of(config)
    return domain is not None and domain.view == "motion"


def told_options(section: str, part: Mapping[str, Any], always: Sequence[str] = ()) -> dict[str, Any]:
    """Options of a part that are worth a word: those not at their default, and those named."""
    options = dict(part.get("options") or {})
    entry = parts.catalogue()[section].get(str(part.get("kind")))
    known = entry.options.model_fields if entry is not None else {}
    return {
        name: value
        for name, value in options.items()
        if name in always or name not in known or value != known[name].get_default(call_default_factory=True)
    }


def samples_words(config: Mapping[str, Any]) -> str:
    """What a link to its samples is called."""
    return "motions" if shows_motion(config) else "samples"


def metric_title(name: str) -> str:
    """What a metric is called on the page; its key where no domain measures it."""
    from model.domains import all_metrics

    metric = all_metrics().get(name)
    return metric.title if metric is not None else name


def seeds_words(config: Mapping[str, Any]) -> str:
    """``100 seeds``; "" for a loop that runs one."""
    count = int(config.get("replicates") or 1)
    return f"{count} seeds" if count > 1 else ""
