"""The custom components: live markup, charts, the 3-D viewer, pictures, the address bar. Each is a ``gr.HTML`` with a
fixed container; data arrives as its value and is drawn by ``static/*.js``, so that no text is ever taken for a
template."""

from typing import Any

import gradio as gr

PLOTLY = "/ui/plotly.min.js"
VIEWER = "/viewer/main.js"


def live(value: str = "", *, elem_id: str, **more: Any) -> gr.HTML:
    """Markup made by ``app.markup``, changed in place. ``.click`` hears its buttons: their data set is its data;
    ``.input`` hears a form with ``data-look`` whenever it changes."""
    return gr.HTML(
        value,
        html_template='<div class="ls-live"></div>',
        js_on_load="import('/ui/ui.js').then((ui) => ui.live(element, props, trigger, watch));",
        apply_default_css=False,
        elem_id=elem_id,
        **more,
    )


def charts(*, elem_id: str) -> gr.HTML:
    """Small multiples of ``app.plots.small_multiples``; a click on a point leads to its motions."""
    return gr.HTML(
        value=None,
        html_template='<div class="ls-charts"></div>',
        js_on_load=f"import('/ui/ui.js').then((ui) => ui.charts(element, props, watch, '{PLOTLY}'));",
        apply_default_css=False,
        elem_id=elem_id,
    )


def imports(value: Any, *, elem_id: str) -> gr.HTML:
    """The form that sends motion files; ``value``: ``{"formats": [[kind, title], ...]}``. ``.click`` hears what was
    imported: ``dataset``."""
    return gr.HTML(
        value=value,
        html_template='<div class="ls-imports"></div>',
        js_on_load="import('/ui/imports.js').then((ui) => ui.imports(element, props, trigger, watch));",
        apply_default_css=False,
        elem_id=elem_id,
    )


def viewer(*, elem_id: str) -> gr.HTML:
    """Figures of ``app.viewer_embed``. ``.select`` hears the keys that step generations: ``step`` -1 or +1."""
    return gr.HTML(
        value=None,
        html_template='<div class="ls-viewer"></div>',
        js_on_load=f"import('/ui/ui.js').then((ui) => ui.viewer(element, props, trigger, watch, '{VIEWER}'));",
        apply_default_css=False,
        elem_id=elem_id,
    )


def pictures(*, elem_id: str) -> gr.HTML:
    """Panels of ``app.previews`` and their tails. ``.select`` hears where a person went: ``generation``."""
    return gr.HTML(
        value=None,
        html_template='<div class="ls-pictures"></div>',
        js_on_load="import('/ui/pictures.js').then((ui) => ui.pictures(element, props, trigger, watch));",
        apply_default_css=False,
        elem_id=elem_id,
    )


def navigation() -> gr.HTML:
    """Hears links inside the page (``.click``: ``query``)."""
    return gr.HTML(
        html_template="<span></span>",
        js_on_load="import('/ui/ui.js').then((ui) => ui.navigation(element, trigger));",
        elem_id="navigation",
        elem_classes=["ls-hidden"],
    )


def address() -> gr.HTML:
    """Writes its value, a query string, into the address bar."""
    return gr.HTML(
        html_template="<span></span>",
        js_on_load="import('/ui/ui.js').then((ui) => ui.address(props, watch));",
        elem_id="address",
        elem_classes=["ls-hidden"],
    )


def data_of(event: gr.EventData) -> dict[str, Any]:
    """What a custom component said, as a plain dict; empty for anything else."""
    data = event._data
    return dict(data) if isinstance(data, dict) else {}
