"""What is wrong with a value, in plain words: pydantic's verdicts as every door says them."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least {min_length} entries",
    "json_invalid": "is no JSON ({error})",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), 'must be an object, {{"name": value, ...}}'),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
    "string_type": "must be text",
    "missing": "must be given",
}
"""Kind of a pydantic error -> what is expected, with that error's context."""


def complaint(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors without its place: ``must be at least 8``; its own words where we have none."""
    words = _WORDS.get(str(error["type"]))
    return str(error["msg"]) if words is None else words.format_map(error.get("ctx") or {})


def complaint_of(error: Mapping[str, Any], shown: str) -> str:
    """The same with the value that it is about, if one was given: ``must be at least 8 (got 3)``."""
    told = complaint(error)
    return told if error["type"] in ("missing", "json_invalid") else f"{told} (got {shown})"
