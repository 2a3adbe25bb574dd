"""Colours that mean the same on every page, and Gradio's theme without anything from the network."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

STATIC = Path(__file__).parent / "static"

ARM_COLOURS = {"real": "#6B7280", "raw": "#D55E00", "corrected": "#0072B2"}
"""Okabe-Ito, safe for colour-blind eyes: one colour per arm, in curves, panes and tables."""

FURTHER_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""For a second group of the same arm, and for groups that mix arms."""

ARM_TITLES = {"real": "Real only", "raw": "Raw", "corrected": "Corrected"}

HEAD = """
<link rel="icon" href="/ui/icon.svg" type="image/svg+xml">
<script type="module" src="/ui/start.js"></script>
"""


def stylesheet() -> str:
    """The page's own CSS."""
    return (STATIC / "loopscope.css").read_text(encoding="utf-8")


def theme() -> "gr.themes.Base":
    """A quiet theme on the system's fonts."""
    import gradio as gr

    blue = gr.themes.Color(
        c50="#eff7fc", c100="#d9ecf7", c200="#b3d9ef", c300="#80bfe3", c400="#3d9bd1", c500="#0072b2",
        c600="#00639c", c700="#005282", c800="#004268", c900="#003250", c950="#002238", name="loopscope-blue",
    )  # fmt: skip
    return gr.themes.Base(
        primary_hue=blue,
        secondary_hue=blue,
        neutral_hue="slate",
        text_size="md",
        spacing_size="sm",
        radius_size="md",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"],
    ).set(
        body_background_fill="#f6f7f9",
        body_background_fill_dark="#0f141b",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#171d26",
        block_background_fill="#ffffff",
        block_background_fill_dark="#171d26",
        block_border_width="0px",
        block_shadow="none",
        block_label_text_color="*body_text_color",
        block_title_text_weight="600",
        block_info_text_color="#55606e",
        block_info_text_color_dark="#9aa7b5",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        input_border_width="1px",
        input_border_width_dark="1px",
        checkbox_border_width="1px",
        input_background_fill="#ffffff",
        input_background_fill_dark="#0f141b",
        input_border_color="#8a94a3",
        input_border_color_dark="#5b6878",
        button_primary_background_fill="*primary_500",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_500",
        button_primary_text_color="#ffffff",
        border_color_primary="#dfe3e8",
        border_color_primary_dark="#2a3340",
    )
