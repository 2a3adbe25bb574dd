"""Panels that are no motions: which pictures Inspect shows, and the words below them."""

from app.previews.detail import generation_detail, loops_detail
from app.previews.spec import across_loops, nothing, one_loop, tails_of, view_of

__all__ = ["across_loops", "generation_detail", "loops_detail", "nothing", "one_loop", "tails_of", "view_of"]
