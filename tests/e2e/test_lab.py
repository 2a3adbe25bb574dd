"""The Lab and the form's domains as a person meets them: an experiment run by one button, its curve beside theory."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stack, Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

KEY = "gaussian-biased"


def open_lab(stack: Stack, page: Page, **query: str) -> None:
    address = "".join(f"&{name}={value}" for name, value in query.items())
    page.goto(f"{stack.url}/?tab=lab{address}")
    expect(page.locator("#lab-cards")).to_contain_text("Theory", timeout=60_000)


def change(page: Page, path: str, value: str) -> None:
    """Type a number into the card's form, which stays open, and ask for a run."""
    box = page.locator(f'#lab-{KEY} input[name="{path}"]')
    if not box.is_visible():
        page.get_by_text("Change a number and run").click()
    box.fill(value)


def run_changed(page: Page) -> None:
    page.locator(f"#lab-change-{KEY}").click()


def test_a_wrong_number_is_explained_in_the_card(stack: Stack, watched: Watched) -> None:
    page = watched.page
    open_lab(stack, page, card=KEY)
    change(page, "replicates", "1")
    run_changed(page)
    said = page.locator(f"#lab-{KEY} [data-said]")
    expect(said).to_contain_text("at least 2 seeds", timeout=15_000)
    wrong = page.locator(f'#lab-{KEY} input[name="replicates"]')
    expect(wrong).to_have_attribute("aria-invalid", "true")
    assert wrong.input_value() == "1", "what was typed stays"
    assert "Traceback" not in page.content()
    with stack.client() as client:
        assert [view for view in client.list_loops() if view.config["domain"] == "regression"] == []
    assert watched.complaints == []


def test_an_experiment_runs_and_shows_its_curve_with_a_theory_line(stack: Stack, watched: Watched) -> None:
    page = watched.page
    open_lab(stack, page, card=KEY)
    change(page, "replicates", "50")
    change(page, "generations", "20")
    run_changed(page)
    card = page.locator(f"#lab-{KEY}")
    expect(card).to_contain_text(re.compile(r"loops? done in"), timeout=240_000)
    expect(card).to_contain_text("over 50 seeds")
    expect(card).to_contain_text("Generations = 20 instead of")
    assert card.locator("path.ls-labtheory").count() >= 1
    assert card.locator('path[stroke-width="2.2"]').count() >= 1
    expect(card).to_contain_text("Claims against this run")
    assert f"card={KEY}" in page.url and "run=" in page.url
    card.get_by_role("link", name="Compare").click()
    expect(page.locator("#compare-plot .main-svg").first).to_be_visible(timeout=30_000)
    assert watched.complaints == []


def test_the_address_of_a_card_brings_it_back(stack: Stack, watched: Watched) -> None:
    page = watched.page
    open_lab(stack, page)
    page.locator(f"#lab-{KEY}").get_by_role("link", name="Details").click()
    expect(page.locator(f"#lab-{KEY}.ls-labopen")).to_be_visible(timeout=15_000)
    assert f"card={KEY}" in page.url
    page.reload()
    expect(page.locator(f"#lab-{KEY}.ls-labopen")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Close").click()
    expect(page.locator(".ls-labopen")).to_have_count(0, timeout=15_000)
    assert watched.complaints == []


def choose_domain(page: Page, title: str) -> None:
    page.locator("#field-domain input").click()
    page.get_by_role("option", name=title, exact=True).click()


def test_the_form_follows_the_domain_and_launches_it(stack: Stack, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{stack.url}/?tab=launch")
    expect(page.locator("#launch-status")).to_contain_text("1 loop of 10 generations", timeout=60_000)
    assert page.locator("#field-replicates").count() == 0 or not page.locator("#field-replicates").is_visible()
    choose_domain(page, "Gaussian")
    expect(page.locator("#launch-status")).to_contain_text("seeds at once", timeout=30_000)
    assert "domain=gaussian" in page.url
    expect(page.locator("#field-model input")).to_have_value("Gaussian fit")
    number = page.locator("#field-replicates input").last
    number.fill("0")
    number.press("Tab")
    expect(page.locator("#launch-status")).to_contain_text("Seeds at once", timeout=15_000)
    expect(page.locator("#field-replicates")).to_have_class(re.compile("ls-invalid"))
    expect(page.locator("#launch-submit")).to_be_disabled()
    number.fill("3")
    number.press("Tab")
    expect(page.locator("#launch-submit")).to_be_enabled(timeout=15_000)
    name = page.locator("#field-name input, #field-name textarea").last
    name.fill("from the form")
    page.locator("#launch-submit").click()
    expect(page.locator("#launch-notice")).to_contain_text("from the form", timeout=30_000)
    with stack.client() as client:
        config = next(view.config for view in client.list_loops() if view.name == "from the form")
    assert config["domain"] == "gaussian" and config["replicates"] == 3
    assert config["model"]["kind"] == "gaussian-fit" and config["evaluation"]["panel_corrector"]["kind"] == "none"
    assert watched.complaints == []


def test_a_clone_opens_the_form_with_its_domain(stack: Stack, watched: Watched) -> None:
    with stack.client() as client:
        source = next(view for view in client.list_loops() if view.name == "from the form")
    page = watched.page
    page.goto(f"{stack.url}/?tab=launch&clone={source.id}")
    expect(page.locator("#launch-notice")).to_contain_text("from the form", timeout=60_000)
    expect(page.locator("#field-domain input")).to_have_value("Gaussian", timeout=15_000)
    expect(page.locator("#field-replicates input").last).to_have_value("3")
    expect(page.locator("#launch-status")).to_contain_text("3 seeds at once")
    assert watched.complaints == []
