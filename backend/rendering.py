"""Films and contact sheets of panel samples: rendered once, kept in the data folder's cache."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from backend import loops, media
from backend.loops import Kind
from backend.media import ARM_COLORS, Pane
from backend.store import write_atomically

if TYPE_CHECKING:
    from backend.context import Backend

LOOK = 1  # raise it when pictures come out differently
KEPT_FILES = 300
KINDS: Final[tuple[Kind, ...]] = ("real", "raw", "corrected")


def side_by_side(backend: "Backend", loop_id: str, generation: int, index: int) -> bytes:
    """An MP4 of a panel sample: its nearest real motion, raw, corrected.

    Raises:
        NotFound: when there is no such sample.
        RenderFailed: when this machine cannot render.
    """
    return _kept(
        backend, f"{loop_id}-{generation}-{index}-film-{LOOK}.mp4", lambda: _film(backend, loop_id, generation, index)
    )


def contact_sheet(backend: "Backend", loop_id: str, generation: int, index: int) -> bytes:
    """A PNG with one row for each of real, raw and corrected; raises as :func:`side_by_side`."""
    return _kept(
        backend, f"{loop_id}-{generation}-{index}-sheet-{LOOK}.png", lambda: _sheet(backend, loop_id, generation, index)
    )


def _film(backend: "Backend", loop_id: str, generation: int, index: int) -> bytes:
    return media.render_side_by_side(_panes(backend, loop_id, generation, index))


def _sheet(backend: "Backend", loop_id: str, generation: int, index: int) -> bytes:
    return media.contact_sheet(_panes(backend, loop_id, generation, index))


def _panes(backend: "Backend", loop_id: str, generation: int, index: int) -> Sequence[Pane]:
    panes = []
    for kind in KINDS:
        found = loops.panel_motion(backend, loop_id, generation, kind, index)
        outcome = found.outcome or {}
        note = f"Rejected: {outcome.get('reason', '')}" if outcome.get("status") == "rejected" else ""
        panes.append(Pane(found.motion, f"{kind.capitalize()}: {found.motion.label}", ARM_COLORS[kind], note))
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
