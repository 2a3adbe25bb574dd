"""What becomes of names that somebody typed, or made up to do harm."""

import pytest

from core.names import plain_name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  first try  ", "first try"),
        ("<u>first</u> & ${1+1} {{loop}}", "<u>first</u> & ${1+1} {{loop}}"),
        ("a\0b\x1b[31mc\x7f", "ab[31mc"),
        ("one\ntwo\r\nthree\tfour\u2028five", "one two  three four five"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("\u2066\u200f\ufeff", ""),
        ("\ud800half", "half"),
        ("na\u0303o \u65e5\u672c\u8a9e \u0646\u200c\u0627 \U0001f469\u200d\U0001f52c", None),
        ("", ""),
    ],
)
def test_what_is_kept_of_a_name(typed: str, kept: str | None) -> None:
    assert plain_name(typed) == (typed if kept is None else kept)
    assert plain_name(plain_name(typed)) == plain_name(typed)


def test_a_name_has_an_end() -> None:
    assert plain_name("x" * 200) == "x" * 200
    assert plain_name("x" * 1_000_000) == "x" * 197 + "..."
    assert len(plain_name("\u202e" * 1_000_000 + "x")) < 200
