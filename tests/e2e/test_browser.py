"""The main path as a person walks it: the form, the queue, the curves, the figures, against real workers."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack, Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NAME = "<u>first</u> & ${1+1} {{loop}}"
GENERATIONS = 2


def open_form(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.url}/?tab=launch")
    expect(page.locator("#launch-status")).to_contain_text("1 loop of 10 generations", timeout=60_000)


def fill(page: Page, field: str, value: str) -> None:
    box = page.locator(f"#{field} input, #{field} textarea").last
    box.fill(value)
    box.press("Tab")


def open_section(page: Page, title: str) -> None:
    page.get_by_role("button", name=title).click()


def picture(page: Page) -> bytes:
    return page.locator("#inspect-viewer canvas.lsv-canvas").screenshot()


@pytest.fixture(scope="module")
def finished(stack: Stack) -> str:
    """The loop that the first test launches from the form, waited for."""
    with stack.client() as client:
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline:
            found = client.list_loops()
            if found and found[0].state in ("done", "failed"):
                assert found[0].state == "done", found[0].error
                return found[0].id
            time.sleep(1)
    raise AssertionError(f"not done: {found}")


def test_a_wrong_number_is_explained_where_it_stands(stack: Stack, watched: Watched) -> None:
    page = watched.page
    open_form(stack, page)
    fill(page, "field-n", "2")
    expect(page.locator("#launch-status")).to_contain_text("8", timeout=15_000)
    assert "Traceback" not in page.content()
    expect(page.locator("#launch-submit")).to_be_disabled()
    fill(page, "field-n", "32")
    expect(page.locator("#launch-submit")).to_be_enabled(timeout=15_000)
    assert watched.complaints == []


def test_launch_from_the_form(stack: Stack, watched: Watched) -> None:
    page = watched.page
    open_form(stack, page)
    fill(page, "field-name", NAME)
    fill(page, "field-n", "32")
    fill(page, "field-generations", str(GENERATIONS))
    page.locator("#field-policy").get_by_text("Replace").click()
    open_section(page, "Training")
    fill(page, "field-training-initial-steps", "150")
    fill(page, "field-training-steps", "20")
    expect(page.locator("#launch-submit")).to_contain_text("Launch 1 loop", timeout=15_000)
    page.locator("#launch-submit").click()
    with stack.client() as client:
        deadline = time.monotonic() + 30
        while not (found := client.list_loops()) and time.monotonic() < deadline:
            time.sleep(0.3)
    assert [view.name for view in found] == [NAME]
    assert found[0].config["n"] == 32 and found[0].config["policy"]["kind"] == "replace"
    assert watched.complaints == []


def test_the_table_says_done_and_shows_the_name_as_text(stack: Stack, watched: Watched, finished: str) -> None:
    page = watched.page
    page.goto(f"{stack.url}/?tab=loops")
    table = page.locator("#loops-table")
    expect(table).to_contain_text(NAME, timeout=30_000)
    expect(table).to_contain_text("Done")
    assert table.locator("u").count() == 0
    assert watched.complaints == []


def test_curves_are_drawn(stack: Stack, watched: Watched, finished: str) -> None:
    page = watched.page
    page.goto(f"{stack.url}/?tab=compare")
    plot = page.locator("#compare-plot")
    expect(plot).to_contain_text("FID", timeout=30_000)
    expect(plot.locator(".main-svg").first).to_be_visible(timeout=15_000)
    assert plot.locator("path.js-line").count() >= 4
    assert watched.complaints == []


def test_figures_are_drawn_and_move_and_the_slider_changes_generation(
    stack: Stack, watched: Watched, finished: str
) -> None:
    page = watched.page
    page.goto(f"{stack.url}/?tab=inspect&loop={finished}")
    panes = page.locator("#inspect-viewer .lsv-pane")
    expect(panes).to_have_count(3, timeout=60_000)
    expect(page.locator("#inspect-viewer .lsv-readout")).to_contain_text(re.compile(r"Frame \d+ / 39"), timeout=60_000)
    first = picture(page)
    assert len(first) > 5_000, "an empty canvas compresses to almost nothing"
    page.wait_for_timeout(1500)
    assert picture(page) != first, "the figures stand still while playing"

    page.locator("#inspect-viewer .lsv-play").click()
    page.wait_for_timeout(1500)
    still = picture(page)
    page.wait_for_timeout(1000)
    assert picture(page) == still, "the figures move while paused"

    generation = page.locator("#inspect-generation input[type=number]")
    before = generation.input_value()
    other = "0" if before != "0" else "1"
    generation.fill(other)
    generation.press("Enter")
    expect(page.locator("#inspect-viewer")).to_contain_text(f"generation {other}", timeout=30_000)
    page.wait_for_timeout(1500)
    assert picture(page) != still, "another generation looks the same"
    assert watched.complaints == []


def test_new_samples_are_drawn_shown_linked_and_left(stack: Stack, watched: Watched, finished: str) -> None:
    page = watched.page
    page.goto(f"{stack.url}/?tab=inspect&loop={finished}&generation=1")
    panes = page.locator("#inspect-viewer .lsv-pane")
    expect(panes).to_have_count(3, timeout=60_000)
    page.get_by_role("button", name="Draw new samples").click()
    earlier, banner = page.locator("#inspect-draw-earlier"), page.locator("#inspect-draw-banner")
    expect(earlier).to_contain_text("Nothing has been drawn from generation 1 yet", timeout=15_000)
    expect(page.locator("#inspect-draw-prompt")).to_be_hidden()
    page.locator("#inspect-draw-guidance input").fill("99")
    page.locator("#inspect-draw-run").click()
    expect(page.locator("#inspect-draw-status")).to_contain_text("at most 20", timeout=15_000)
    page.locator("#inspect-draw-guidance input").fill("1.5")
    page.locator("#inspect-draw-seed input").fill("7")
    page.locator("#inspect-draw-run").click()
    expect(banner).to_contain_text(re.compile("Drawn on demand.*guidance 1.5, seed 7"), timeout=120_000)
    expect(panes.nth(1)).to_contain_text("drawn from generation 1")
    assert len(picture(page)) > 5_000, "an empty canvas compresses to almost nothing"
    link = page.url
    assert "draw=" in link
    page.locator("#inspect-draw-back").click()
    expect(panes.nth(1)).to_contain_text("as the model makes it", timeout=15_000)
    assert "draw=" not in page.url
    earlier.locator("tr[data-act]").first.click()
    expect(banner).to_contain_text("Drawn on demand", timeout=15_000)
    page.goto(link)
    expect(banner).to_contain_text("Drawn on demand", timeout=60_000)
    expect(panes.nth(1)).to_contain_text("drawn from generation 1", timeout=60_000)
    assert "Traceback" not in page.content() and watched.complaints == []


def test_the_strip_reads_values_jumps_and_folds(stack: Stack, watched: Watched, finished: str) -> None:
    page = watched.page
    page.goto(f"{stack.url}/?tab=inspect&loop={finished}&generation=1&sample=0&frame=3")
    rows = page.locator("#inspect-viewer .lsv-row")
    expect(rows.filter(has_text="left foot height")).to_be_visible(timeout=60_000)
    expect(page.locator("#inspect-viewer .lsv-legend")).to_contain_text("Corrected", timeout=30_000)
    skate = rows.filter(has_text="foot skate")
    canvas = skate.locator("canvas")
    canvas.hover()
    tip = page.locator("#inspect-viewer .lsv-tip")
    expect(tip).to_contain_text(re.compile(r"foot skate, frame \d+.*Raw: \d+\.\d\d m/s", re.DOTALL))
    canvas.click()
    expect(page.locator("#inspect-viewer .lsv-readout")).to_contain_text(re.compile(r"Frame (19|20) / 39"))
    skate.get_by_role("button").click()
    expect(canvas).to_be_hidden()
    page.reload()
    expect(rows.filter(has_text="foot skate")).to_be_visible(timeout=60_000)
    expect(canvas).to_be_hidden()
    assert watched.complaints == []


def test_a_permalink_across_loops_stays_what_it_was(stack: Stack, watched: Watched, finished: str) -> None:
    page = watched.page
    chosen = f"{finished}:corrected,{finished}:raw"
    page.goto(f"{stack.url}/?tab=inspect&mode=loops&loops={chosen}&generation=1&sample=3")
    panes = page.locator("#inspect-viewer .lsv-pane")
    expect(panes).to_have_count(2, timeout=60_000)
    page.wait_for_timeout(4000)
    expect(panes).to_have_count(2)
    expect(panes.first).to_contain_text("corrected, generation 1")
    for words in panes.locator(".lsv-sentence").all():  # nothing still says that it is loading
        expect(words).to_be_hidden()
    assert f"loops={chosen}" in page.url and "generation=1" in page.url and "sample=3" in page.url
    assert watched.complaints == []


def test_downloads_of_a_motion(stack: Stack, finished: str) -> None:
    import httpx

    base = f"{stack.url}/api/v1/loops/{finished}/generations/{GENERATIONS}/panel"
    for kind in ("real", "raw", "corrected"):
        assert httpx.get(f"{base}/{kind}/0/motion.bvh").text.startswith("HIERARCHY")
        assert httpx.get(f"{base}/{kind}/0/motion.npz").content[:2] == b"PK"
    film = httpx.get(f"{base}/0/side-by-side.mp4", timeout=120)
    assert film.status_code == 200 and b"ftyp" in film.content[:16]
    sheet = httpx.get(f"{base}/0/contact-sheet.png", timeout=120)
    assert sheet.status_code == 200 and sheet.content.startswith(b"\x89PNG")


def test_nothing_comes_from_elsewhere(stack: Stack, watched: Watched, finished: str) -> None:
    page = watched.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for tab in ("launch", "loops", "compare", f"inspect&loop={finished}"):
        page.goto(f"{stack.url}/?tab={tab}")
        page.wait_for_timeout(2500)
    foreign = [
        url for url in asked if not url.startswith((stack.url, "data:", "blob:", stack.url.replace("http", "ws")))
    ]
    assert foreign == []
