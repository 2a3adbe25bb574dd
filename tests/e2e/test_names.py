"""Names that are code somewhere are shown as text, in a real browser, on every page that shows names."""

import time

import pytest
from playwright.sync_api import Dialog, expect

from tests.app.seedloops import gaussian
from tests.e2e.conftest import Stack, Watched

pytestmark = pytest.mark.e2e

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "${alert(1)}",
    "{{constructor.constructor('alert(1)')()}}",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "</div></template><b id=made>bold</b>",
    "<a href=javascript:alert(1)>x</a>",
)
MADE = "#made, img[src='x'], iframe[srcdoc], svg[onload], a[href^='javascript'], [onmouseover]"


def test_names_are_text_on_every_page(stack: Stack, watched: Watched) -> None:
    with stack.client() as client:
        views = [
            client.launch(gaussian(n=40 + k, replicates=2, generations=2), name=name, group=HOSTILE[1])
            for k, name in enumerate(HOSTILE)
        ]
        limit = time.monotonic() + 90
        while any(client.show_loop(view.id).state != "done" for view in views):
            assert time.monotonic() < limit
            time.sleep(0.3)
    dialogs: list[str] = []
    page = watched.page

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    ids = ",".join(view.id for view in views)
    for address, shown in (
        (f"loops&loop={views[1].id}", "#loops-table"),
        (f"compare&loops={ids}", "#compare-finals"),
        (f"inspect&loop={views[1].id}", "#page-inspect"),
        (f"launch&clone={views[1].id}", "#launch-notice"),
    ):
        page.goto(f"{stack.url}/?tab={address}")
        place = page.locator(shown)
        expect(place).to_be_visible(timeout=60_000)
        if not address.startswith("inspect"):  # its names stand in choosers
            expect(place).to_contain_text(HOSTILE[1], timeout=60_000)
        assert page.locator(MADE).count() == 0, address
    assert (dialogs, watched.complaints) == ([], [])
