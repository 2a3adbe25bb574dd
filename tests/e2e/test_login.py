"""A server with users in a real browser: log in, be refused as a viewer, launch as a runner, log out."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import ROOT, Stack, Watched, running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PASSWORD = "correct horse battery"
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation of its own; users are added while it runs."""
    with running_stack(tmp_path_factory.mktemp("guarded")) as stack:
        for name, role in (("ada", "admin"), ("vera", "viewer"), ("rudi", "runner")):
            command = [sys.executable, "-m", "app.cli", "users", "add", name, "--role", role, "--password-stdin",
                       "--home", str(stack.home)]  # fmt: skip
            subprocess.run(command, cwd=ROOT, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True)
        yield stack


def log_in(page: Page, stack: Stack, name: str, address: str = "/") -> None:
    page.goto(f"{stack.url}{address}")
    expect(page).to_have_title("Log in - Loopscope", timeout=PATIENCE_MS)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#who")).to_contain_text(name, timeout=PATIENCE_MS)


def loops_of(page: Page) -> list[dict[str, object]]:
    found: list[dict[str, object]] = page.evaluate("fetch('/api/v1/loops').then((answer) => answer.json())")
    return found


def test_a_wrong_password_then_the_right_one_and_the_address_is_kept(guarded: Stack, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{guarded.url}/?tab=loops")
    page.get_by_label("Name").fill("vera")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together", timeout=PATIENCE_MS)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#who")).to_have_text("vera (viewer)", timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(r"[?&]tab=loops"), timeout=PATIENCE_MS)
    assert [text for text in watched.complaints if "401" not in text] == []


def test_a_viewer_is_refused_in_a_sentence(guarded: Stack, watched: Watched) -> None:
    page = watched.page
    log_in(page, guarded, "vera", "/?tab=launch")
    page.locator("#launch-presets [data-act]:visible").first.click(timeout=PATIENCE_MS)
    expect(page.locator("#launch-notice")).to_contain_text("vera is a viewer", timeout=PATIENCE_MS)
    assert "Traceback" not in page.content()
    assert loops_of(page) == []
    assert watched.complaints == []


def test_a_runner_launches_and_logs_out(guarded: Stack, watched: Watched) -> None:
    page = watched.page
    log_in(page, guarded, "rudi")
    config = {"domain": "gmm", "generations": 2}
    launched = page.evaluate(
        """(config) => fetch('/api/v1/loops', {method: 'POST', headers: {'content-type': 'application/json'},
             body: JSON.stringify({config, name: 'light'})}).then((answer) => answer.json())""",
        config,
    )
    assert launched["owner"] == "rudi"
    page.goto(f"{guarded.url}/?tab=loops")
    expect(page.locator("#loops-table")).to_contain_text("Done", timeout=120_000)
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_title("Log in - Loopscope", timeout=PATIENCE_MS)
    page.goto(f"{guarded.url}/?tab=loops")
    expect(page).to_have_title("Log in - Loopscope", timeout=PATIENCE_MS)
    assert watched.complaints == []


def test_a_page_whose_log_in_ends_goes_to_the_log_in(guarded: Stack, watched: Watched) -> None:
    page = watched.page
    log_in(page, guarded, "vera", "/?tab=loops")
    page.context.clear_cookies()
    expect(page).to_have_title("Log in - Loopscope", timeout=PATIENCE_MS)
    assert "next=%2F%3F" in page.url
