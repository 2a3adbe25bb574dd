"""The card of the paper's protocol in a real browser."""

from playwright.sync_api import expect

from tests.e2e.conftest import Stack, Watched


def test_launching_straight_from_an_edited_field(stack: Stack, watched: Watched) -> None:
    """Leaving the field asks what the choices would cost; the click on Launch that does so must not be lost."""
    page = watched.page
    page.goto(f"{stack.url}/?tab=launch")
    field = page.locator("[data-key='paper-protocol'] input[name=n]")
    field.wait_for(timeout=60_000)
    field.fill("16")
    page.locator("#launch-paper-protocol").click()
    expect(page.locator("#launch-notice")).to_contain_text("under way", timeout=60_000)
    with stack.client() as client:
        mine = [view for view in client.list_loops() if view.group.startswith("Paper protocol")]
        assert len(mine) == 4 and {view.config["n"] for view in mine} == {16}
        for view in mine:
            client.delete(view.id)
    assert watched.complaints == []
