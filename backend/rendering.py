"""Films and contact sheets of samples: rendered once, kept in the data folder's cache."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from backend import media
from backend.media import ARM_COLORS, Pane
from backend.playing import Kind, PanelMotion
from backend.store import write_atomically

if TYPE_CHECKING:
    from backend.context import Backend

LOOK = 1  # raise it when pictures come out differently
KEPT_FILES = 300
KINDS: Final[tuple[Kind, ...]] = ("real", "raw", "corrected")
Shown = Callable[[Kind], PanelMotion]
"""Gives each form of the sample that is rendered."""


def side_by_side(backend: "Backend", name: str, shown: Shown) -> bytes:
    """An MP4 of a sample: its nearest real motion, raw, corrected; kept under ``name``.

    Raises:
        NotFound: when there is no such sample.
        RenderFailed: when this machine cannot render.
    """
    return _kept(backend, f"{name}-film-{LOOK}.mp4", lambda: media.render_side_by_side(_panes(shown)))


def contact_sheet(backend: "Backend", name: str, shown: Shown) -> bytes:
    """A PNG with one row for each of real, raw and corrected; raises as :func:`side_by_side`."""
    return _kept(backend, f"{name}-sheet-{LOOK}.png", lambda: media.contact_sheet(_panes(shown)))


def _panes(shown: Shown) -> Sequence[Pane]:
    panes = []
    for kind in KINDS:
        found = shown(kind)
        outcome = found.outcome or {}
        note = f"Rejected: {outcome.get('reason', '')}" if outcome.get("status") == "rejected" else ""
        title = f"{kind.capitalize()}: {found.motion.label or found.motion.text}"
        panes.append(Pane(found.motion, title, ARM_COLORS[kind], note))
    return panes


def _kept(backend: "Backend", name: str, render: Callable[[], bytes]) -> bytes:
    """The file of that name; rendered by the first who asks, while others wait."""
    folder = backend.settings.home / "cache" / "media"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        with FileLock(folder / ".lock"):  # one rendering at a time: the cores belong to the workers
            if not path.exists():
                write_atomically(path, render())
                _forget_oldest(folder)
    return path.read_bytes()


def _forget_oldest(folder: Path) -> None:
    files = sorted((p for p in folder.iterdir() if p.suffix in (".mp4", ".png")), key=lambda p: p.stat().st_mtime)
    for path in files[:-KEPT_FILES]:
        path.unlink(missing_ok=True)
