"""The System page's pictures of what runs: workers, queues, room, last errors. Markup of one look at it."""

from collections.abc import Mapping, Sequence

from app.markup import ago, duration, esc, link, size
from backend.observe.views import BrokerView, DatabaseView, DiskView, IncidentView, MemoryView, QueueView, SystemView
from backend.presence import ProcessView

GONE_SHOWN_S = 600.0  # a process that fell silent is shown for so long
MOST_LOST = 6
QUEUE_TITLES = {"gpu": "Networks", "cpu": "Physics and rendering"}
NO_WORKER = (
    "No worker is here: start one with <code>loopscope worker</code>, or everything with <code>loopscope up</code>."
)

Share = tuple[str, float, str]
"""Title, size and colour of a part of a bar."""


def overview(system: SystemView) -> str:
    """Everything, most urgent first."""
    return (
        f'<div class="ls-stack ls-system">{tiles(system)}{workers(system)}'
        f'<div class="ls-halves">{_queues(system.queues)}{_room(system.disk, system.memory)}</div>'
        f"{_incidents(system.incidents)}{_details(system)}</div>"
    )


def tiles(system: SystemView) -> str:
    """One glance: what is there and what is not."""
    alive = [process for process in system.processes if process.state == "alive" and process.kind == "worker"]
    busy = sum(bool(process.tasks) for process in alive)
    waiting = sum(queue.waiting for queue in system.queues)
    unserved = [queue.name for queue in system.queues if queue.waiting and not queue.workers]
    whom = f"nobody serves {' and '.join(unserved)}" if unserved else "nothing" if not waiting else "parts of work"
    low = system.disk.free < max(system.disk.needed, 0.03 * system.disk.total)
    if system.database.answers:
        found = [
            _tile("Workers", str(len(alive)), f"{busy} at work" if alive else "none is here", bad=not alive),
            _tile("Waiting", str(waiting), whom, bad=bool(unserved)),
        ]
    else:
        found = [_tile("Workers", "?", "SQL knows", bad=True), _tile("Waiting", "?", "SQL knows", bad=True)]
    found += [_database(system.database), _broker(system.broker)]
    found.append(_tile("Disk", size(system.disk.free), "free" if not low else "free: nearly full", bad=low))
    if system.database.answers:
        led = f"by {system.leader}" if system.leader else "nobody takes up what is lost"
        found.append(_tile("Upkeep", "on" if system.leader else "off", led, bad=system.leader is None))
    return f'<div class="ls-tiles">{"".join(found)}</div>'


def _tile(title: str, value: str, words: str, *, bad: bool = False) -> str:
    state = "bad" if bad else "good"
    return (
        f'<div class="ls-tile" data-state="{state}"><span class="ls-soft">{esc(title)}</span><b>{esc(value)}</b>'
        f'<small title="{esc(words)}">{esc(words)}</small></div>'
    )


def _database(view: DatabaseView) -> str:
    if not view.answers:
        return _tile("Database", view.kind, view.sentence, bad=True)
    took = f"{1000 * view.seconds:.1f} ms" if view.seconds is not None else ""
    return _tile("Database", view.kind, ", ".join(bit for bit in (size(view.size_bytes), took) if bit))


def _broker(view: BrokerView) -> str:
    where = "the bundled one" if view.kind == "bundled" else view.place
    return _tile("Broker", "answers" if view.answers else "away", where, bad=not view.answers)


def workers(system: SystemView) -> str:
    """Processes that are there, and those that fell silent a short time ago."""
    if not system.database.answers:
        return _card("Workers", f'<p class="ls-soft">Not known: the database {esc(system.database.sentence)}.</p>')
    lost = [p for p in system.processes if p.state == "silent"]
    lately = [p for p in lost if p.silent_s < GONE_SHOWN_S][:MOST_LOST]
    near = [*(p for p in system.processes if p.state == "alive"), *lately]
    ended = sum(p.state == "ended" for p in system.processes)
    bits = [f"{ended} ended"] if ended else []
    bits += [f"{len(lost) - len(lately)} more fell silent"] if len(lost) > len(lately) else []
    more = f'<p class="ls-soft ls-foot">In the last day {" and ".join(bits)}.</p>' if bits else ""
    nobody = (
        "" if any(p.kind == "worker" and p.state == "alive" for p in near) else f'<p class="ls-foot">{NO_WORKER}</p>'
    )
    if not near:
        return _card("Workers", nobody + more)
    most_mb = max((p.rss_mb or 0.0 for p in near), default=0.0)
    heads = ("Process", "Takes", "Device", "State", "Doing", "Memory", "Processor", "Here for")
    rows = "".join(_worker(process, most_mb) for process in near)
    head = "".join(f"<th scope=col>{title}</th>" for title in heads)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    table = f'<div class="ls-scroll ls-bare">{table}</div>'
    return _card("Workers", nobody + table + more)


def _worker(process: ProcessView, most_mb: float) -> str:
    gone = process.state != "alive"
    takes = ", ".join(process.queues) or "pages, API"
    device = (
        process.device if process.device not in ("", "server") else "" if process.kind == "server" else "not used yet"
    )
    memory = "" if process.rss_mb is None or gone else size(process.rss_mb * 1e6)
    if memory:
        memory = f"{memory}{_bar((process.rss_mb or 0.0) / (most_mb or 1.0))}"
    if process.gpu_total_mb and not gone:
        used = f"{(process.gpu_used_mb or 0) / 1000:.1f} of {process.gpu_total_mb / 1000:.0f} GB"
        device = f"{device}, {used}"
    load = "" if process.cpu_percent is None or gone else f"{process.cpu_percent:.0f} %"
    here_for = process.seen_at - process.started_at
    state = "busy" if process.tasks and not gone else process.state
    return (
        f'<tr data-key="{esc(process.name)}"{" class=ls-gone" if gone else ""}>'
        f'<td class="ls-num">{esc(process.name)}</td>'
        f"<td>{esc(takes)}</td><td>{esc(device)}</td>"
        f'<td><span class="ls-pill ls-life" data-state="{state}">{esc(process.sentence)}</span></td>'
        f'<td>{_doing(process)}</td><td class="ls-num">{memory}</td><td class="ls-num">{load}</td>'
        f'<td class="ls-num">{duration(here_for.total_seconds())}</td></tr>'
    )


def _doing(process: ProcessView) -> str:
    bits = []
    for task in process.tasks[:3]:
        where = f" of {link(task.loop_name, tab='loops', loop=task.loop_id)}" if task.loop_id else ""
        bits.append(f"{esc(task.sentence)}{where}")
    more = f", and {len(process.tasks) - 3} more" if len(process.tasks) > 3 else ""
    return "; ".join(bits) + more


def _queues(queues: Sequence[QueueView]) -> str:
    if not queues:
        return _card("Queues", '<p class="ls-soft">Not known while the database is away.</p>')
    most = max((queue.waiting + queue.at_work for queue in queues), default=0) or 1
    return _card("Queues", "".join(_queue(queue, most) for queue in queues))


def _queue(queue: QueueView, most: int) -> str:
    rest = most - queue.waiting - queue.at_work
    bar = stacked(
        [("at work", queue.at_work, "#0072B2"), ("waiting", queue.waiting, "#E69F00"), ("", rest, "")],
        f"{queue.at_work} at work, {queue.waiting} waiting",
    )
    words = [f"<b>{queue.at_work}</b> at work", f"<b>{queue.waiting}</b> waiting"]
    if queue.oldest_s is not None:
        words.append(f"the oldest for {duration(queue.oldest_s)}")
    served = f"{queue.workers} {'process serves' if queue.workers == 1 else 'processes serve'} it"
    words.append(served if queue.workers else '<span class="ls-warn">nobody serves it</span>')
    if queue.messages is None:
        words.append('<span class="ls-warn">the broker does not answer</span>')
    title = QUEUE_TITLES.get(queue.name, queue.name)
    return (
        f'<div class="ls-meter"><h4>{esc(title)} <span class="ls-soft">({esc(queue.name)})</span></h4>{bar}'
        f'<p class="ls-num">{", ".join(words)}</p></div>'
    )


def _room(disk: DiskView, memory: MemoryView | None) -> str:
    kept = [
        *([("artifacts", float(disk.artifacts), "#0072B2")] if disk.artifacts_here else []),
        *([("database", float(disk.database), "#009E73")] if disk.database else []),
        ("memo", float(disk.memo), "#E69F00"),
        ("logs", float(disk.logs), "#CC79A7"),
    ]
    ours = sum(part for _, part, _ in kept)
    whole = [("kept by Loopscope", ours, "#0072B2"), ("other files", float(disk.other), "var(--ls-other)"),
             ("free", float(disk.free), "")]  # fmt: skip
    text = _meter("Kept", kept, f"{size(ours)} in {disk.folder}")
    if not disk.artifacts_here:
        text += f'<p class="ls-soft">Artifacts: {size(disk.artifacts)} in {esc(disk.artifacts_at)}.</p>'
    text += _meter("Disk", whole, f"{size(disk.free)} of {size(disk.total)} free")
    if memory is not None:
        used = float(memory.total - memory.available)
        mine = min(float(memory.ours), used)
        shares = [("Loopscope", mine, "#0072B2"), ("other programs", used - mine, "var(--ls-other)"),
                  ("available", float(memory.available), "")]  # fmt: skip
        text += _meter("Memory", shares, f"{size(memory.available)} of {size(memory.total)} available")
    return _card("Room", text)


def _meter(title: str, shares: Sequence[Share], words: str) -> str:
    told = ", ".join(f"{name} {size(part)}" for name, part, _ in shares if part)
    legend = "".join(
        f'<span><i class="ls-arm" style="--arm:{colour or "var(--ls-grid)"}"></i>{esc(name)} {size(part)}</span>'
        for name, part, colour in shares
        if name
    )
    return (
        f'<div class="ls-meter"><h4>{esc(title)} <span class="ls-soft ls-num">{esc(words)}</span></h4>'
        f'{stacked(shares, f"{title}: {told}")}<p class="ls-legend ls-num">{legend}</p></div>'
    )


def stacked(shares: Sequence[Share], told: str) -> str:
    """A bar of parts in proportion; a part without a colour is left empty. Small parts stay visible."""
    total = sum(part for _, part, _ in shares) or 1.0
    pieces = "".join(
        f'<i style="flex-grow:{part / total:.4f};--c:{colour}" title="{esc(name)}"></i>'
        for name, part, colour in shares
        if part > 0 and colour
    )
    empty = sum(part for _, part, colour in shares if not colour) / total
    if not pieces:
        empty = 1.0
    rest = f'<i class="ls-rest" style="flex-grow:{empty:.4f}"></i>' if empty > 0 else ""
    return f'<div class="ls-stacked" role="img" aria-label="{esc(told)}">{pieces}{rest}</div>'


def _bar(share: float) -> str:
    percent = 100 * min(max(share, 0.0), 1.0)
    return f'<div class="ls-bar ls-thin" aria-hidden="true"><i style="width:{percent:.0f}%"></i></div>'


KIND_WORDS = {
    "failed": "failed", "retry": "tried again", "interrupted": "worker lost", "hung": "hung", "waiting": "waits",
}  # fmt: skip


def _incidents(incidents: Sequence[IncidentView]) -> str:
    if not incidents:
        return _card("Last errors", '<p class="ls-soft">Nothing has gone wrong lately.</p>')
    rows = "".join(
        f'<tr><td class="ls-soft ls-num">{ago(one.at)}</td>'
        f'<td><span class="ls-state" data-state="{"failed" if one.kind == "failed" else "interrupted"}">'
        f"{esc(KIND_WORDS.get(one.kind, one.kind))}</span></td>"
        f"<td>{link(one.loop_name, tab='loops', loop=one.loop_id)}</td><td>{esc(one.sentence)}</td></tr>"
        for one in incidents
    )
    return _card(
        "Last errors", f'<div class="ls-scroll ls-bare"><table class="ls-last"><tbody>{rows}</tbody></table></div>'
    )


def _details(system: SystemView) -> str:
    """What is looked up once: versions, places, settings."""
    places = {
        "Database": f"{system.database.kind}, {system.database.place}; {system.database.sentence}",
        "Broker": f"{'bundled' if system.broker.kind == 'bundled' else 'own'}, {system.broker.place}; "
        f"{system.broker.sentence}",
        "Data folder": system.disk.folder,
        "Artifacts": f"{system.disk.artifact_files:,} files, {size(system.disk.artifacts)}, {system.disk.artifacts_at}",
        "API": "/api/v1 (described at /docs); for Prometheus: /metrics; probes: /healthz, /readyz",
    }
    settings = {f"LOOPSCOPE_{name.upper()}": value or "not set" for name, value in system.settings.items()}
    return (
        '<details class="ls-card ls-fold" data-key="details"><summary>Versions, places and settings</summary>'
        f'<div class="ls-halves"><section><h4>Versions</h4>{_pairs(system.versions)}</section>'
        f"<section><h4>Places</h4>{_pairs(places)}</section></div>"
        f"<section><h4>Settings</h4>{_pairs(settings)}</section></details>"
    )


def _pairs(rows: Mapping[str, str]) -> str:
    body = "".join(f"<tr><td>{esc(name)}</td><td>{esc(value)}</td></tr>" for name, value in rows.items())
    return f'<table class="ls-pairs"><tbody>{body}</tbody></table>'


def _card(title: str, body: str) -> str:
    return f'<section class="ls-card"><h3>{esc(title)}</h3>{body}</section>'
