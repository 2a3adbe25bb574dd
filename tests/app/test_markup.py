"""Pieces of HTML: what comes from outside is text, never markup."""

from datetime import UTC, datetime, timedelta

import pytest

from app.markup import act, ago, change, duration, esc, link, measured, notice, number, size, spark_line

EVIL = "\"><img src=x onerror=alert(1)> ${alert(2)} {{x}} '"


@pytest.mark.parametrize("html", [
    esc(EVIL), link(EVIL, tab=EVIL), link("a", query={EVIL: EVIL}), act(EVIL, EVIL, loop=EVIL), notice(EVIL, kind=EVIL),
])  # fmt: skip
def test_no_tag_comes_out_of_a_text(html: str) -> None:
    assert "<img" not in html
    assert '"><' not in html.replace('"></', "").replace('"><span>', "")


def test_a_link_carries_its_view() -> None:
    html = link("Curves", tab="compare", loops="a,b")
    assert 'href="?tab=compare&amp;loops=a,b"' in html and "data-nav" in html


@pytest.mark.parametrize(
    "seconds, words", [(None, ""), (0.2, "1 s"), (45, "45 s"), (180, "3 min"), (5400, "1 h 30 min"), (4800, "80 min")]
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_moments_are_told_from_now() -> None:
    now = datetime(2030, 5, 1, 12, tzinfo=UTC)
    assert ago(now - timedelta(seconds=10), now) == "just now"
    assert ago(now - timedelta(minutes=5), now) == "5 min ago"
    assert ago(None, now) == ""
    assert ago(now - timedelta(days=3), now).startswith("28 Apr")


@pytest.mark.parametrize(
    "value, text",
    [(None, "-"), (float("nan"), "-"), (0, "0"), (2.3456, "2.35"), (12345.6, "12,346"), (1e-5, "1.0e-05")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    "value, digits, text",
    [(25.0, 3, "25.0"), (7.1, 3, "7.10"), (0.16, 3, "0.160"), (772.4, 3, "772"), (999.7, 3, "1,000"), (124.0, 2, "124"),
     (99.7, 3, "99.7"), (1.0, 2, "1.0"), (0, 3, "0"), (None, 3, "-")],
)  # fmt: skip
def test_measurements_keep_their_digits_and_have_no_exponent(value: float | None, digits: int, text: str) -> None:
    assert measured(value, digits) == text


@pytest.mark.parametrize("value, text", [(-1438.8, "-1,439"), (0.97, "+0.970"), (0.0, "0"), (-12.0, "-12.0")])
def test_changes_have_a_sign(value: float, text: str) -> None:
    assert change(value) == text


@pytest.mark.parametrize(
    "count, words",
    [
        (None, ""),
        (0, "0 B"),
        (999, "999 B"),
        (12_345, "12 kB"),
        (1_440_000, "1.4 MB"),
        (12.195e9, "12 GB"),
        (81e9, "81 GB"),
        (2e12, "2.0 TB"),
    ],
)
def test_sizes_to_read(count: float | None, words: str) -> None:
    assert size(count) == words


def test_a_spark_line_has_a_point_per_value() -> None:
    html = spark_line([1.0, 5.0, 3.0], "raw")
    assert html.split('points="')[1].split('"')[0].count(",") == 3
    assert "polyline" not in spark_line([1.0], "raw")
    assert "nan" not in spark_line([2.0, 2.0], "real")
