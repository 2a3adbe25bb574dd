"""Data: import motion, see what it holds and how clean it is, and play every clip."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from app import viewer_embed, widgets
from app.markup import act, notice
from app.pages import datacards as markup
from app.pages.page import Page, Query, quiet, whole
from app.theme import ARM_COLOURS
from backend import datasets
from backend.datasets import BUILT_IN, ClipView
from core.errors import LoopscopeError

if TYPE_CHECKING:
    from backend.context import Backend

ALL = ""
"""Choice of no class."""


def build(backend: "Backend", address: Any) -> Page:
    from backend.importing.registry import IMPORTERS

    chosen = gr.Textbox("", visible="hidden", elem_id="data-chosen")
    of = gr.Textbox("", visible="hidden", elem_id="data-of")  # the data set that list and detail are of
    widgets.live(markup.INTRO, elem_id="data-intro")
    formats = [["auto", "Found by itself"], *([kind, entry.title] for kind, entry in IMPORTERS.items())]
    sender = widgets.imports({"formats": formats}, elem_id="data-import")
    message = widgets.live(elem_id="data-notice")
    listed = widgets.live(elem_id="data-list")
    with gr.Row(elem_classes=["ls-inspect"]):
        with gr.Column(scale=6, min_width=420):
            detail = widgets.live(elem_id="data-detail")
        with gr.Column(scale=5, min_width=420):
            with gr.Row(elem_classes=["ls-form"]):
                label = gr.Dropdown(
                    choices=[("All", ALL)], value=ALL, label="Class", elem_id="data-class", interactive=True
                )
                clip = gr.Dropdown(choices=[("0", 0)], value=0, label="Clip", elem_id="data-clip", interactive=True)
            figure = widgets.viewer(elem_id="data-viewer")
            files = widgets.live(elem_id="data-files-of-clip")
    deleted = widgets.live(elem_id="data-deleted")
    others = widgets.live(elem_id="data-built-in")
    filled = gr.Textbox("", visible="hidden", elem_id="data-filled")  # the browser has the built-in cards: they stay
    below: list[Any] = [label, clip, figure, files]

    def show(wanted: str, name: str, index: int) -> list[Any]:
        """Choice, what is shown, list, deleted ones, detail, choosers, figure and downloads of a data set."""
        views = datasets.list_datasets(backend)
        known = {view.id: view for view in views}
        picked = wanted if wanted in known else BUILT_IN
        tiles = markup.tiles(views, picked, BUILT_IN)
        gone = markup.deleted(datasets.list_datasets(backend, deleted=True), backend.settings.purge_after_days)
        statistics = datasets.built_in_statistics()
        if picked == BUILT_IN:
            words = markup.built_in_detail(statistics) if statistics else ""
        else:
            words = markup.detail(known[picked], statistics)
        return [picked, picked, tiles, gone, words, *play(picked, name, index)]

    def play(wanted: str, name: str, index: int) -> list[Any]:
        """Choosers, figure and downloads."""
        try:
            everything = datasets.clips(backend, wanted, limit=100_000)
        except LoopscopeError as error:
            empty = viewer_embed.spec(message=str(error))
            return [gr.update(choices=[("All", ALL)], value=ALL), gr.update(choices=[], value=None), empty, ""]
        names = sorted({each.label for each in everything})
        name = name if name in names else ALL
        found = [each for each in everything if name in (ALL, each.label)][: datasets.MOST_CLIPS]
        picked = next((each for each in found if each.index == index), found[0])
        return [
            gr.update(choices=[("All", ALL), *((n, n) for n in names)], value=name),
            gr.update(choices=[(_title(each), each.index) for each in found], value=picked.index),
            _figure(wanted, picked, found),
            markup.clip_links(wanted, picked.index),
        ]

    def at(wanted: str, name: str, index: int) -> str:
        return urlencode({"tab": "data", **_query(wanted, name, index)})

    def chosen_class(wanted: str, name: str) -> list[Any]:
        updates = play(wanted, str(name or ALL), -1)
        return [*updates[1:], at(wanted, str(name or ALL), updates[1]["value"] or 0)]

    def chosen_clip(wanted: str, name: str, index: Any) -> list[Any]:
        return [*play(wanted, str(name or ALL), whole(index))[2:], at(wanted, str(name or ALL), whole(index))]

    label.input(chosen_class, [chosen, label], [clip, figure, files, address], **quiet())
    clip.input(chosen_clip, [chosen, label, clip], [figure, files, address], **quiet())

    def acted(event: gr.EventData, wanted: str) -> list[Any]:
        asked = widgets.data_of(event)
        action, dataset_id = str(asked.get("act", "")), str(asked.get("dataset", ""))
        said = ""
        try:
            if action == "delete":
                view = datasets.delete(backend, dataset_id)
                undo = act("Undo", "restore", kind="ls-small", dataset=view.id)
                said = notice(f"{view.name!r} was deleted. Loops that learn from it go on.", more=undo)
            elif action == "restore":
                said = notice(f"{datasets.restore(backend, dataset_id).name!r} is back.")
                wanted = dataset_id
            elif action == "imported":
                wanted = dataset_id
        except LoopscopeError as error:
            said = notice(str(error), kind="error")
        return [said, at(wanted, ALL, 0), *show(wanted, ALL, -1)]

    for source in (sender, message, listed, deleted):
        source.click(acted, [chosen], [message, address, chosen, of, listed, deleted, detail, *below], **quiet())

    def open_(asked: Query) -> list[Any]:
        newest = next((view.id for view in datasets.list_datasets(backend)), BUILT_IN)
        shown = show(asked.get("dataset", newest), asked.get("class", ALL), whole(asked.get("clip"), -1))
        return ["", *shown, _built_in_cards(), "1"]

    def refresh(wanted: str, name: str, index: Any, has_cards: str, _: str) -> list[Any]:
        if has_cards != "1":
            return open_({})
        shown = show(wanted, str(name or ALL), whole(index, -1))
        if shown[0] == wanted:  # what a person chose meanwhile stays
            return [gr.skip(), gr.skip(), *shown[1:5], *[gr.skip()] * (len(below) + 2)]
        return [gr.skip(), *shown, gr.skip(), gr.skip()]

    def query(wanted: str, name: str, index: Any, *_: str) -> Query:
        return _query(wanted, str(name or ALL), whole(index))

    def behind(wanted: str, name: str, index: Any, has_cards: str, shown_of: str) -> bool:
        del name, index
        return has_cards == "1" and shown_of != wanted

    outputs = [message, chosen, of, listed, deleted, detail, *below, others, filled]
    return Page("data", [chosen, label, clip, filled, of], outputs, open_, refresh, query, behind=behind)


def _query(wanted: str, name: str, index: int) -> Query:
    found = {"dataset": wanted} if wanted else {}
    found |= {"class": name} if name else {}
    return found | ({"clip": str(index)} if index else {})


def _title(clip: ClipView) -> str:
    held = ", held out" if clip.split == "test" else ""
    return f"{clip.name} ({clip.label}, {clip.seconds:.1f} s{held})"


def _figure(dataset_id: str, clip: ClipView, found: list[ClipView]) -> dict[str, Any]:
    def url(each: ClipView) -> str:
        return f"/api/v1/datasets/{dataset_id}/clips/{each.index}/motion.lsm"

    at = found.index(clip)
    pane = {
        "id": "clip", "title": clip.label, "subtitle": clip.text or clip.name, "color": ARM_COLOURS["real"],
        "url": url(clip), "ghost_url": None, "ghost_color": ARM_COLOURS["raw"], "note": None, "facts": None,
    }  # fmt: skip
    return viewer_embed.spec([pane], prefetch=[url(each) for each in found[at + 1 : at + 2]])


def _built_in_cards() -> str:
    from backend import datacards

    return markup.built_in_cards(datacards.cards())
