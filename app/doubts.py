"""How far the numbers of a comparison are to be trusted: noise of generation 0, samples that are too few, and what the
drift beyond the noise is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from app.groups import Group
from app.series import Curves, series_of
from backend.drift import NEEDED, Band, Drift, Setting, drift_of

if TYPE_CHECKING:
    from backend.measures import Doubt

MOST_BANDS = 3  # in one chart


@dataclass(frozen=True)
class Doubts:
    """Of the lines of a comparison.

    Attributes:
        noise: line's title -> metric -> several draws from generation 0, means over the line's seeds.
        caveats: metric -> why too few samples were measured for it.
    """

    noise: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    caveats: Mapping[str, str] = field(default_factory=dict)

    def bands(self, metric: str) -> list[Band]:
        """Each different one once: lines that begin alike share it. None where there are too many to draw."""
        draws = {tuple(noise[metric]) for noise in self.noise.values() if metric in noise}
        found = [band for one in sorted(draws) if (band := Band.of(one)) is not None]
        return found if len(found) <= MOST_BANDS else []


NO_DOUBTS = Doubts()


def doubts_of(groups: Sequence[Group], known: "Mapping[str, Doubt]") -> Doubts:
    """Of lines whose loops all say so (older loops do not)."""
    noise, caveats = {}, {}
    for group in groups:
        mine = [known[view.id] for view in group.loops if view.id in known]
        if len(mine) < len(group.loops):
            continue
        names = set.intersection(*(set(one.noise) for one in mine))
        noise[group.title] = {
            name: [fmean(seeds) for seeds in zip(*(one.noise[name] for one in mine), strict=False)] for name in names
        }
        for one in mine:
            caveats.update(one.caveats)
    return Doubts(noise, caveats)


def verdicts(
    groups: Sequence[Group], curves: Curves, doubts: Doubts, floors: Mapping[str, Sequence[float]]
) -> dict[str, Drift]:
    """Line's title -> what its last generation says, of the mean over its seeds."""
    floor = fmean(floors["fid"]) if floors.get("fid") else None
    found = {}
    for group in groups:
        all_series = {name: series_of(group, curves, name) for name in NEEDED}
        known = {name: series for name, series in all_series.items() if series is not None}
        if len(known) < len(NEEDED) or group.title not in doubts.noise:
            continue
        # The last generation that every seed has reached.
        last = min(int(series.generations[series.count == len(group.loops)].max()) for series in known.values())
        now = {name: float(at.mean[0]) for name, series in known.items() if (at := series.at(last)) is not None}
        setting = Setting.of([view.config for view in group.loops])
        drift = drift_of(last, now, doubts.noise[group.title], setting, floor)
        if drift is not None:
            found[group.title] = drift
    return found
