"""Small pieces of HTML. Every text from outside goes through ``esc``; nothing here is a template."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from urllib.parse import urlencode

from app.theme import ARM_TITLES


def esc(value: object) -> str:
    """Text made safe for markup and for quoted attributes."""
    return escape(str(value), quote=True)


def link(
    text: str, *, button: bool = False, primary: bool = False, query: Mapping[str, str | int] | None = None, **more: str
) -> str:
    """A link to a view of this page (``?tab=...``), which opens without a reload."""
    kind = f' class="ls-button{" ls-primary" if primary else ""}"' if button else ""
    address = urlencode({**(query or {}), **more}, safe=",:")
    return f'<a href="?{esc(address)}" data-nav{kind}>{esc(text)}</a>'


def download(text: str, url: str, *, button: bool = True) -> str:
    return f'<a href="{esc(url)}" download{" class=ls-button" if button else ""}>{esc(text)}</a>'


def act(text: str, action: str, *, kind: str = "", elem_id: str = "", **data: str) -> str:
    """A button that reports ``data-act`` and further data to the component that holds it."""
    extra = "".join(f' data-{name}="{esc(value)}"' for name, value in data.items())
    mark = f' id="{esc(elem_id)}"' if elem_id else ""
    return f'<button type="button"{mark} class="ls-button {kind}" data-act="{esc(action)}"{extra}>{esc(text)}</button>'


def notice(text: str, *, kind: str = "info", more: str = "") -> str:
    """One line that says what happened; ``more`` is markup (buttons, links)."""
    return f'<div class="ls-notice" data-kind="{esc(kind)}" role="status"><span>{esc(text)}</span>{more}</div>'


def status_line(text: str, *, state: str = "ready", field: str = "") -> str:
    """What a form would do, or (``invalid``) what is wrong with it, said beside the control ``field`` too."""
    return (
        f'<div class="ls-status" data-status data-state="{state}" data-invalid="{esc(field)}" '
        f'data-message="{esc(text)}" role="status" aria-live="polite">{esc(text)}</div>'
    )


def arm_mark(arm: str) -> str:
    return f'<i class="ls-arm" style="--arm:var(--ls-{esc(arm)})" title="{esc(ARM_TITLES.get(arm, arm))}"></i>'


def colour_mark(colour: str) -> str:
    """A swatch of a group's colour (one of ours, never a user's text)."""
    return f'<i class="ls-arm" style="--arm:{colour}"></i>'


def spark_line(values: Sequence[float], arm: str, name: str = "FID") -> str:
    """A curve the size of a word; a logarithmic look is not needed at this size."""
    if len(values) < 2:
        return '<svg class="ls-spark" aria-hidden="true"></svg>'
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = " ".join(
        f"{2 + 88 * i / (len(values) - 1):.1f},{21 - 18 * (v - low) / span:.1f}" for i, v in enumerate(values)
    )
    return (
        f'<svg class="ls-spark" viewBox="0 0 92 24" role="img" '
        f'aria-label="{esc(name)} from {values[0]:.3g} to {values[-1]:.3g}">'
        f'<polyline points="{points}" fill="none" style="stroke:var(--ls-{esc(arm)})" stroke-width="1.8"/></svg>'
    )


def duration(seconds: float | None) -> str:
    """``45 s``, ``3 min``, ``1 h 20 min``."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 clip``, ``409 clips``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """``just now``, ``5 min ago``, ``yesterday``..., from an aware time."""
    if moment is None:
        return ""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - aware).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 86400:
        return f"{duration(max(seconds, 90))} ago" if seconds >= 90 else "1 min ago"
    return aware.strftime("%d %b %H:%M")


def number(value: float | None, digits: int = 3) -> str:
    """A few significant digits, never an exponent for everyday sizes."""
    if value is None or value != value:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:.{digits}g}"


def measured(value: float | None, digits: int = 3) -> str:
    """The same with its last zeros, which a measurement earned: ``25.0`` beside ``25.1``."""
    text = number(value, digits)
    if not value or "e" in text or abs(value) >= 10 ** (digits - 1) - 0.5:
        return text
    return f"{value:#.{digits}g}" if value == value else text


def change(value: float) -> str:
    """A difference with its sign; one that rounds away has none."""
    text = measured(abs(value))
    return text if value == 0 else f"{'+' if value > 0 else '-'}{text}"


def size(count: float | None) -> str:
    """Bytes to read: ``12 MB``, ``1.4 GB``."""
    if count is None:
        return ""
    for unit, step in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            value = count / step
            return f"{value:.1f} {unit}" if value < 10 and unit != "kB" else f"{value:.0f} {unit}"
    return f"{count:.0f} B"
