"""Data sets that were imported, by id. Where they lie is the installation's business: it lends a library."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from core.errors import DataMissing, InvalidConfig
from model.datasets import npz
from model.datasets.base import Dataset

CARD = "card.json"

Library = Callable[[str], tuple[str, Path] | None]
"""Finds a data set by id or name: its id, and a folder of this machine with clips.npz, index.csv and card.json."""

_LIBRARIES: list[Library] = []


def lend(library: Library) -> None:
    """Let this process find data sets there too. Ids follow from content, so several libraries never disagree."""
    _LIBRARIES.append(library)


def take_back(library: Library) -> None:
    """The opposite of :func:`lend`; nothing where it was taken back already."""
    if library in _LIBRARIES:
        _LIBRARIES.remove(library)


def _known(wanted: str) -> str:
    """The id of a data set that was given by name; anything else as it is."""
    found = _find(wanted) if wanted else None
    return found[0] if found else wanted


def _find(wanted: str) -> tuple[str, Path] | None:
    return next((found for library in _LIBRARIES if (found := library(wanted)) is not None), None)


class StoredOptions(npz.WindowOptions):
    model_config = ConfigDict(coerce_numbers_to_str=True)  # a name, too, may be 2024

    id: Annotated[str, AfterValidator(_known)] = Field(
        "", max_length=80, title="Which", description="An imported data set, by name or id.",
        json_schema_extra={"choices_from": "datasets"},
    )  # fmt: skip
    mirror: bool = Field(
        True, title="Mirror images", description="Show every second window as its left-right mirror image."
    )


def build(options: StoredOptions) -> Dataset:
    """The data set, as :func:`model.datasets.npz.build` makes it of its files, with the card of its import.

    Raises:
        InvalidConfig: without an id.
        DataMissing: when there is none of that id, or no loop can learn from it.
    """
    if not options.id.strip():
        raise InvalidConfig(
            "No imported data set is named.", "Choose one: loopscope data list, or the Data page.", "data.options.id"
        )
    found = _find(options.id)
    if found is None:
        raise DataMissing(
            f"There is no imported data set {options.id!r}.", "Import it (loopscope data import), or choose another."
        )
    folder = found[1]
    window = npz.NpzOptions(path=str(folder), mirror=options.mirror, frames=options.frames, fps=options.fps)
    dataset = npz.build(window)
    told = json.loads((folder / CARD).read_bytes())
    card = dataset.card | {
        "title": told["name"], "source": told["source"], "licence": told["licence"],
        "notes": [*dataset.card["notes"], *told["notes"]],
    }  # fmt: skip
    return replace(dataset, name="stored", card=card)
