"""Pictures of loops that are no motions, and their comparison with theory, in a real browser."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from backend.parts import read_config
from tests.e2e.conftest import Stack, Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LAST = 12
LAMBDAS = (0.25, 0.5, 1.0)


@pytest.fixture(scope="module")
def sweep(stack: Stack) -> list[str]:
    """A Gaussian loop per lambda, run by the real workers."""
    with stack.client() as client:
        plain = {"domain": "gaussian", "generations": LAST, "replicates": 12}
        ids = [
            client.launch(
                read_config(plain | {"policy": {"kind": "augment", "options": {"lam": lam}}}),
                name="sweep", group="previews",
            ).id
            for lam in LAMBDAS
        ]  # fmt: skip
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline:
            states = {client.show_loop(loop_id).state for loop_id in ids}
            if states == {"done"}:
                return ids
            assert "failed" not in states, [client.show_loop(loop_id).error for loop_id in ids]
            time.sleep(1)
    raise AssertionError(f"not done: {states}")


def ink(page: Page, pane: int) -> int:
    """How many pixels of a pane's picture are painted."""
    return int(
        page.evaluate(
            """(pane) => {
                const canvas = document.querySelectorAll("#inspect-pictures .ls-pane canvas")[pane];
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                let count = 0;
                for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
                return count;
            }""",
            pane,
        )
    )


def picture(page: Page) -> str:
    script = "document.querySelectorAll('#inspect-pictures .ls-pane canvas')[1].toDataURL()"
    return str(page.evaluate(script))


def open_loop(stack: Stack, page: Page, loop_id: str, generation: int) -> None:
    page.goto(f"{stack.url}/?tab=inspect&loop={loop_id}&generation={generation}")
    expect(page.locator("#inspect-pictures .ls-pictures")).to_have_attribute(
        "data-generation", str(generation), timeout=120_000
    )


def test_panes_and_tails_are_drawn_and_no_viewer_is(stack: Stack, watched: Watched, sweep: list[str]) -> None:
    page = watched.page
    open_loop(stack, page, sweep[0], 3)
    expect(page.locator("#inspect-pictures .ls-pane canvas")).to_have_count(4, timeout=30_000)
    assert all(ink(page, pane) > 2000 for pane in range(4)), "an empty picture has no axes"
    expect(page.locator("#inspect-pictures")).to_contain_text("of real samples do")
    expect(page.locator("#inspect-viewer .ls-viewer")).to_be_hidden()
    expect(page.locator("#inspect-details")).to_contain_text("Generation 3 in numbers")
    assert watched.complaints == []


def test_arrow_keys_step_the_picture_the_slider_and_the_address(
    stack: Stack, watched: Watched, sweep: list[str]
) -> None:
    page = watched.page
    open_loop(stack, page, sweep[0], 3)
    before = picture(page)
    page.locator("#inspect-pictures").get_by_text("Generation 3 of").click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#inspect-pictures .ls-pictures")).to_have_attribute("data-generation", "4", timeout=15_000)
    assert picture(page) != before
    expect(page.locator("#inspect-generation input[type=number]")).to_have_value("4", timeout=30_000)
    page.wait_for_url(re.compile("generation=4"), timeout=30_000)
    expect(page.locator("#inspect-details")).to_contain_text("Generation 4 in numbers", timeout=30_000)
    assert watched.complaints == []


def test_play_runs_to_the_last_generation_and_stops(stack: Stack, watched: Watched, sweep: list[str]) -> None:
    page = watched.page
    open_loop(stack, page, sweep[0], LAST - 4)
    page.locator("#inspect-pictures").get_by_role("button", name="Play").click()
    shown = page.locator("#inspect-pictures .ls-pictures")
    expect(shown).to_have_attribute("data-generation", str(LAST), timeout=60_000)
    expect(page.locator("#inspect-pictures").get_by_role("button", name="Play")).to_be_visible(timeout=15_000)
    expect(page.locator("#inspect-generation input[type=number]")).to_have_value(str(LAST), timeout=30_000)
    assert watched.complaints == []


def test_the_slider_drives_the_picture(stack: Stack, watched: Watched, sweep: list[str]) -> None:
    page = watched.page
    open_loop(stack, page, sweep[0], 3)
    number = page.locator("#inspect-generation input[type=number]")
    number.fill("7")
    number.press("Enter")
    expect(page.locator("#inspect-pictures .ls-pictures")).to_have_attribute("data-generation", "7", timeout=30_000)
    assert watched.complaints == []


def test_loops_side_by_side(stack: Stack, watched: Watched, sweep: list[str]) -> None:
    page = watched.page
    keys = ",".join(f"{loop_id}:raw" for loop_id in sweep)
    page.goto(f"{stack.url}/?tab=inspect&mode=loops&loops={keys}&generation=5")
    expect(page.locator("#inspect-pictures .ls-pane canvas")).to_have_count(5, timeout=120_000)
    assert watched.complaints == []


def test_comparison_draws_theory_seeds_and_a_map(stack: Stack, watched: Watched, sweep: list[str]) -> None:
    page = watched.page
    page.goto(f"{stack.url}/?tab=compare&loops={','.join(sweep)}&metrics=w2_squared,variance")
    expect(page.locator("#compare-plot .main-svg").first).to_be_visible(timeout=120_000)
    expect(page.locator("#compare-legend")).to_contain_text("λ = 0.25 (12 seeds)")
    expect(page.locator("#compare-map")).to_contain_text("at generation 12, by λ", timeout=30_000)
    expect(page.locator("#compare-map .main-svg").first).to_be_visible(timeout=60_000)
    roles = page.evaluate(
        "[...document.querySelectorAll('#compare-plot .js-plotly-plot')].map((p) => p.data.map((t) => t.meta.role))"
    )
    assert len(roles) == 2 and {"band", "seed", "mean", "theory"} <= set(roles[0])
    fold = page.locator("#compare-told summary")
    fold.click()
    expect(page.locator("#compare-told")).to_contain_text("Assumes")
    page.locator("#compare-theory input").uncheck()
    expect(fold).to_have_count(0, timeout=30_000)
    page.wait_for_url(re.compile("theory=0"), timeout=30_000)
    assert watched.complaints == []


def test_curves_of_every_seed_can_be_taken_away(stack: Stack, sweep: list[str]) -> None:
    import httpx

    text = httpx.get(f"{stack.url}/ui/curves.csv", params={"loops": sweep[0], "seeds": "1"}).text
    assert text.count("\n") == 1 + 12 * (LAST + 1) and "replicate" in text.splitlines()[0]
