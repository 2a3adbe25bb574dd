"""Classes and subjects of takes: from a table, from folders, from file names, or as the format says."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from backend.importing.take import SPLITS, Take
from core.errors import InvalidConfig
from model.datasets.npz_files import MAX_NAME

ONE = "motion"
"""The class of takes that nothing tells apart."""
MOST_TEXT_CHARACTERS = 2000
COLUMNS = ("label", "subject", "split", "text")
_TRIAL = re.compile(r"(?:^|[/_-])(\d{1,3})_(\d{1,3})(?=$|[_-])")
_SUBJECT = re.compile(r"(?:subject|subj|sub|actor|performer)[ _-]?0*(\d{1,4})", re.IGNORECASE)
_TAIL = re.compile(r"([ _-]*(poses|stageii|take|clip|subject|subj|sub|actor|performer)?[ _-]*\d*)+$", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """What a table says of one take; "" where it says nothing."""

    label: str = ""
    subject: str = ""
    split: str = ""
    text: str = ""


def read_table(text: str, name: str) -> dict[str, Row]:
    """Rows by take from CSV with the columns file (or clip) and any of label, subject, split, text.

    Raises:
        InvalidConfig: naming the line.
    """
    try:
        reader = csv.DictReader(io.StringIO(text))
        names = [str(column).strip().lower() for column in reader.fieldnames or ()]
        rows = list(reader)
    except csv.Error as error:
        raise InvalidConfig(f"{name} is no table: {error}.", "Save it as CSV.", "labels") from None
    key = next((column for column in ("file", "clip") if column in names), "")
    if not key or not set(COLUMNS) & set(names):
        raise InvalidConfig(
            f"{name} needs the column file and one of {', '.join(COLUMNS)}; it has {', '.join(names)[:200]}.",
            "Begin it with a line such as: file,label", "labels",
        )  # fmt: skip
    found: dict[str, Row] = {}
    for number, raw in enumerate(rows, 2):
        row = {str(k).strip().lower(): str(v or "").strip() for k, v in raw.items() if k is not None}
        values = Row(**{column: row.get(column, "") for column in COLUMNS})
        if values.split and values.split not in SPLITS:
            raise InvalidConfig(
                f"{name}, line {number}: there is no split {values.split[:40]!r}.",
                f"Use {', '.join(SPLITS)}.",
                "labels",
            )
        found[_plain(row[key])] = values
    return found


def labelled(takes: Sequence[Take], table: dict[str, Row], how: str) -> tuple[list[Take], str]:
    """Takes with class and subject, and where they are from, in words.

    Args:
        how: ``auto``, ``folder``, ``file`` or ``none``.

    Raises:
        InvalidConfig: when a table names none of the takes.
    """
    rows = {take.name: table.get(_plain(take.name)) or table.get(_stem(take.name)) for take in takes}
    if table and not any(rows.values()):
        raise InvalidConfig(
            "The labels name none of the files.", f"For example {takes[0].name} is there.", "labels"
        )  # fmt: skip
    subject = {take.name: take.subject or subject_of(take.name) for take in takes}
    ways: dict[str, Callable[[Take], str]] = {
        "folder": lambda take: _folder(take, subject[take.name]),
        "file": lambda take: _from_name(take.name),
        "none": lambda _: ONE,
    }
    told = [take for take in takes if take.label]
    if how == "auto" and len(told) < len(takes):
        how = _likely(takes)
    found = []
    for take in takes:
        row = rows[take.name] or Row()
        own = take.label if how == "auto" else ways[how](take)
        texts = (row.text[:MOST_TEXT_CHARACTERS],) if row.text else take.texts
        found.append(replace(
            take, label=_name(row.label or own or ONE), subject=_name(row.subject or subject[take.name]),
            split=row.split or take.split, texts=texts,
        ))  # fmt: skip
    words = {"auto": "as the files say", "folder": "from folders", "file": "from file names", "none": "one for all"}
    if all(take.label == ONE for take in found):
        how = "none"
    given = any(row and row.label for row in rows.values())
    return found, f"from a table, else {words[how]}" if given else words[how]


def subject_of(name: str) -> str:
    """Who moves, where a file's name says it: ``02_01`` (CMU), ``walk1_subject3`` (LaFAN1)."""
    stem = _stem(name)
    found = _SUBJECT.search(stem) or _TRIAL.search(stem)
    return str(int(found[1])) if found else ""


def _likely(takes: Sequence[Take]) -> str:
    """Folders where they tell takes apart; else names, unless nearly every one is another."""
    folders = {_folder(take, "") for take in takes}
    if len(folders) > 1 and "" not in folders and all(re.search("[A-Za-z]", folder) for folder in folders):
        return "folder"
    names = {_from_name(take.name) for take in takes}
    crowded = len(names) > 8 and len(names) > len(takes) / 2
    return "none" if names == {""} or crowded else "file"


def _folder(take: Take, subject: str) -> str:
    folder = take.name.rsplit("/", 2)[-2] if "/" in take.name else ""
    return "" if folder == subject or (take.subject and take.subject in folder) else folder


def _from_name(name: str) -> str:
    """What is left of a file's name without its numbers: ``walk_01`` -> ``walk``; ``daz_02_01_walk`` -> ``walk``."""
    stem = _stem(name).lower()
    trial = _TRIAL.search(stem)
    rest = stem[trial.end() :].strip(" _-") if trial else stem
    found = _TAIL.sub("", rest).strip(" _-")
    return found if re.search("[^\\W\\d_]", found) else ""


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _plain(name: str) -> str:
    """A file's name as tables write it: without suffix, folders kept."""
    return re.sub(r"\.(bvh|npz|npy|txt|json)$", "", name.strip().replace("\\", "/"), flags=re.IGNORECASE)


def _name(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:MAX_NAME].strip()
