"""Markup of the Data page: a tile per data set, and everything that is known of the chosen one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.markup import act, ago, counted, download, esc, link, measured, size

if TYPE_CHECKING:
    from backend.datacards import DataView
    from backend.datasets import DatasetView

INTRO = (
    '<section class="ls-card"><h3>Your motion</h3><p class="ls-soft">Send BVH files, an AMASS, HumanML3D or KIT-ML '
    "folder as zip, DeepMimic clips, or clips.npz with index.csv. Files become one data set: one body, one frame rate, "
    "classes, a held-out part. A labels.csv (file,label,subject,split,text) beside them says what names do not. Larger "
    "data: <code>loopscope data import FOLDER</code>.</p></section>"
)
EMPTY = (
    '<div class="ls-empty">Nothing was imported yet. Send motion files above, and here you will see their classes, how '
    "fast and how clean they move, and every clip in 3-D. Launch uses the built-in DeepMimic clips meanwhile; they are "
    "below.</div>"
)
COLUMNS = (
    ("clips", "Clips", "How many."),
    ("seconds", "Seconds", "All clips together."),
    ("speed_m_s", "Speed m/s", "Mean speed of all joints."),
    ("penetration_mm", "Below floor mm", "Mean depth of the lowest point under the floor; lower is cleaner."),
    ("skate_m_s", "Skate m/s", "Mean speed of soles on the floor; lower is cleaner."),
    ("jerk_m_s3", "Jerk m/s³", "Mean joint jerk: noise and popping; compare equal classes only."),
)  # fmt: skip
LONG_LIST = 40


def tiles(views: "Sequence[DatasetView]", chosen: str, built_in: str) -> str:
    """Imported data sets, and the built-in one, to choose from."""
    drawn = "".join(_tile(view, view.id == chosen) for view in views)
    mark = str(chosen == built_in).lower()
    drawn += (
        f'<section class="ls-card ls-datatile" data-key="{esc(built_in)}" data-chosen="{mark}">'
        f"<h3>{link('DeepMimic clips', tab='data', dataset=built_in)}</h3>"
        '<p>15 clips of acrobatics, walking and dance, 15 joints.</p><p class="ls-soft">Built in; the default of every '
        "loop.</p></section>"
    )
    head = "" if views else EMPTY
    return f'{head}<div class="ls-datagrid">{drawn}</div>'


def deleted(views: "Sequence[DatasetView]", kept_days: float) -> str:
    """Deleted data sets, the latest first, until they are removed for good; nothing where there are none."""
    if not views:
        return ""
    rows = "".join(_deleted(view, kept_days) for view in sorted(views, key=_deleted_at, reverse=True))
    heads = "<th>Data set</th><th>Deleted</th><th class='ls-right'>Size</th><th>Kept</th><th></th>"
    return (
        f'<details class="ls-card ls-fold" data-key="deleted"><summary>Deleted ({len(views)})</summary><section>'
        '<div class="ls-scroll"><table aria-label="Deleted data sets">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section></details>"
    )


def detail(view: "DatasetView", built_in: Mapping[str, Mapping[str, Any]]) -> str:
    """One data set: what it holds, where it is from, what its motion is like."""
    card = view.card
    skeleton, split = card["skeleton"], card["split_s"]
    mirrored = "" if skeleton["mirrored"] else "; left and right are not paired, so windows cannot be mirrored"
    rows = [
        (
            "Content",
            f"{counted(card['clips'], 'clip')}, {_time(card['seconds'])} at {card['fps']:g} fps, "
            f"{card['frames']:,} frames",
        ),
        ("Body", f"{skeleton['joints']} joints, {skeleton['stature_m']:.2f} m tall{mirrored}"),
        ("Split", f"{card['split']} Train {_time(split['train'])}, held out {_time(split['test'])}."),
        ("Subjects", _subjects(card["subjects"])),
        ("Classes", f"{len(card['classes'])}, {card['labels']}."),
        ("Texts", f"{card['texts']}" + (f", e.g. “{card['example_texts'][0]}”" if card["example_texts"] else "")),
        ("Licence", card["licence"]),
        ("Source", card["source"]),
        ("Format", card["format"]),
        ("Digest", view.digest),
    ]
    facts = "".join(f"<tr><td>{esc(name)}</td><td>{esc(value)}</td></tr>" for name, value in rows)
    notes = "".join(f"<li>{esc(note)}</li>" for note in [*card["notes"], *(f"Left out: {b}" for b in card["left_out"])])
    return (
        f'<section class="ls-card"><h3>{esc(view.name)}</h3><table class="ls-pairs"><tbody>{facts}</tbody></table>'
        f'{f"<ul class=ls-datawords>{notes}</ul>" if notes else ""}</section>'
        + classes(card["statistics"], built_in)
    )  # fmt: skip


def built_in_detail(statistics: Mapping[str, Mapping[str, Any]]) -> str:
    """The built-in data set."""
    return (
        '<section class="ls-card"><h3>DeepMimic clips</h3><p class="ls-soft">Inside the installed pybullet_data '
        "(Peng et al. 2018). Cyclic clips go on for ever; held-out windows are other phases of the same clips.</p>"
        "</section>" + classes(statistics, {})
    )  # fmt: skip


def classes(statistics: Mapping[str, Mapping[str, Any]], built_in: Mapping[str, Mapping[str, Any]]) -> str:
    """A row per class; below them what the built-in data set has, to compare with."""
    head = "".join(f'<th scope="col" title="{esc(words)}">{esc(title)}</th>' for _, title, words in COLUMNS)
    rows = "".join(_row(label, found) for label, found in list(statistics.items())[:LONG_LIST])
    rest = len(statistics) - LONG_LIST
    more = f"<tr><td colspan={len(COLUMNS) + 1}>and {rest} more classes</td></tr>" if rest > 0 else ""
    same = [label for label in built_in if label in statistics]
    for label in same:
        more += _row(f"{label}, built in", built_in[label], "built-in")
    if built_in:
        more += _row("all, built in", _mean(built_in), "built-in")
    return (
        '<section class="ls-card"><h3>Classes</h3><div class="ls-scroll"><table class="ls-classes"><thead>'
        f'<tr><th scope="col">Class</th>{head}</tr></thead><tbody>{rows}{more}</tbody></table></div></section>'
    )


def built_in_cards(views: "Sequence[DataView]") -> str:
    """What else is registered, in all domains."""
    described = "".join(_card(view) for view in views if view.card)
    others = _others([view for view in views if not view.card])
    return (
        '<details class="ls-card ls-fold"><summary>Built-in data sets of every domain</summary>'
        f'<div class="ls-stack">{described}{others}</div></details>'
    )


def clip_links(dataset_id: str, index: int) -> str:
    """Downloads of one clip."""
    url = f"/api/v1/datasets/{dataset_id}/clips/{index}/motion"
    return f'<div class="ls-row">{download("BVH", f"{url}.bvh")}{download("NPZ", f"{url}.npz")}</div>'


def _tile(view: "DatasetView", chosen: bool) -> str:
    card = view.card
    used = f" Used by {counted(view.loops, 'loop')}." if view.loops else ""
    launch = link("Launch a loop on it", button=True, tab="launch", dataset=view.id)
    too_small = '<span class="ls-soft">Too little for a loop to learn from</span>'
    return (
        f'<section class="ls-card ls-datatile" data-key="{esc(view.id)}" data-dataset="{esc(view.id)}" '
        f'data-chosen="{str(chosen).lower()}"><h3>{link(view.name, tab="data", dataset=view.id)}</h3>'
        f"<p>{counted(card['clips'], 'clip')}, {_time(card['seconds'])}, "
        f"{counted(len(card['classes']), 'class', 'classes')}, "
        f"{card['skeleton']['joints']} joints</p>"
        f'<p class="ls-soft">{esc(card["format"])}, imported {esc(ago(view.created_at))}'
        f"{f' by {esc(view.owner)}' if view.owner else ''}.{used}</p>"
        f'<div class="ls-row">{launch if view.usable else too_small}'
        f"{act('Delete', 'delete', kind='ls-small', dataset=view.id)}</div></section>"
    )


def _deleted(view: "DatasetView", kept_days: float) -> str:
    until = _deleted_at(view) + timedelta(days=kept_days)
    kept = f"at least until {until:%d %b %Y}" if not view.loops else "as long as loops name it"
    return (
        f'<tr data-key="{esc(view.id)}"><td><b>{esc(view.name)}</b></td><td>{esc(ago(view.deleted_at))}</td>'
        f'<td class="ls-right ls-num">{size(view.size)}</td><td class="ls-soft">{kept}</td>'
        f'<td class="ls-right">{act("Restore", "restore", kind="ls-small", dataset=view.id)}</td></tr>'
    )


def _deleted_at(view: "DatasetView") -> datetime:
    assert view.deleted_at is not None  # only deleted ones are asked
    return view.deleted_at


def _row(label: str, found: Mapping[str, Any], group: str = "") -> str:
    cells = "".join(f"<td>{esc(_cell(name, found.get(name)))}</td>" for name, _, _ in COLUMNS)
    return f'<tr data-group="{group}"><td>{esc(label)}</td>{cells}</tr>'


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    return str(value) if name == "clips" else f"{value:.0f}" if name in ("seconds", "jerk_m_s3") else measured(value, 2)


def _mean(statistics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Means by seconds, of all classes."""
    total = sum(found["seconds"] for found in statistics.values())
    means = {
        name: sum(found[name] * found["seconds"] for found in statistics.values()) / total
        for name in ("speed_m_s", "penetration_mm", "skate_m_s", "jerk_m_s3")
    }
    return means | {"clips": sum(found["clips"] for found in statistics.values()), "seconds": total}


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _subjects(names: Sequence[str]) -> str:
    """``17: 1, 2, 3...``: most are called by a number."""
    return f"{len(names)}: {_some(names)}" if names else "Not named."


def _some(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _card(view: "DataView") -> str:
    rows = "".join(
        f"<tr><td>{esc(str(k).replace('_', ' ').capitalize())}</td><td>{esc(_words(v))}</td></tr>"
        for k, v in (view.card or {}).items()
    )
    return (
        f'<section class="ls-card"><h3>{esc(view.title)}</h3><p>{esc(view.description)} '
        f'<span class="ls-soft">{esc(view.domain)}.</span></p><table class="ls-pairs"><tbody>{rows}</tbody></table>'
        f"</section>"
    )


def _others(views: "Sequence[DataView]") -> str:
    """Data sets that have no card, or none before a path is given."""
    if not views:
        return ""
    rows = "".join(
        f"<tr><td><b>{esc(view.title)}</b></td><td>{esc(view.domain)}</td><td>{esc(view.description)} "
        f'<span class="ls-soft">{esc(view.needs or _options(view))}</span></td></tr>'
        for view in views
    )
    return (
        '<section class="ls-card"><h3>Further data sets</h3><table><thead><tr><th scope=col>Data set</th>'
        f"<th scope=col>Domain</th><th scope=col>What it is</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _options(view: "DataView") -> str:
    """What can be chosen of it, by the titles of its options."""
    known = view.options.get("properties") or {}
    titles = [str(entry.get("title", name)) for name, entry in known.items()]
    return f"Options: {', '.join(titles)}." if titles else ""


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_words(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        words = [_words(v) for v in value]
        return (" " if any(w.endswith(".") for w in words) else ", ").join(words)
    return f"{value:g}" if isinstance(value, float) else str(value)
