"""Every domain by its kind. Importing this is cheap; heavy libraries load when a domain is asked for its parts."""

from core.protocols import DomainPart, Metric, Part
from model.domains.digits import DIGITS
from model.domains.flow import FLOW
from model.domains.gaussian import GAUSSIAN
from model.domains.gmm import GMM
from model.domains.kde import KDE
from model.domains.motion import MOTION
from model.domains.regression import REGRESSION
from model.domains.text import TEXT

DOMAINS: dict[str, DomainPart] = {
    "motion": MOTION,
    "gaussian": GAUSSIAN,
    "gmm": GMM,
    "kde": KDE,
    "regression": REGRESSION,
    "flow": FLOW,
    "digits": DIGITS,
    "text": TEXT,
}


def all_data() -> dict[str, Part]:
    """The data sets of all domains."""
    return {kind: part for domain in DOMAINS.values() for kind, part in domain.data.items()}


def all_models() -> dict[str, Part]:
    """The models of all domains."""
    return {kind: part for domain in DOMAINS.values() for kind, part in domain.models.items()}


def all_metrics() -> dict[str, Metric]:
    """The metrics of all domains; those of one name mean the same and are described by the first."""
    found: dict[str, Metric] = {}
    for domain in DOMAINS.values():
        for name, metric in domain.metrics.items():
            found.setdefault(name, metric)
    return found
