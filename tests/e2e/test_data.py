"""Motion of one's own, as a person brings it: send a zip, look at it, learn from it, delete it and bring it back."""

import time
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from backend.importing.work import ImportOptions
from tests.backend.importing.files import people
from tests.e2e.conftest import Stack, Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LICENCE = "CC0, <b>mine</b>"
WRONG_FRAME = 7
LISTEN = """status => {
    window.said = [];
    new MutationObserver(() => window.said.push(status.textContent)).observe(status, {childList: true, subtree: true});
}"""


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two actions of five people."""
    return zip_of(people(tmp_path_factory.mktemp("motion") / "people"))


def zip_of(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.bvh")):
            archive.write(file, file.relative_to(folder))
    return path


def open_data(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.url}/?tab=data")
    expect(page.locator("#data-list")).to_contain_text("DeepMimic clips", timeout=60_000)


def send(page: Page, path: Path) -> None:
    page.set_input_files("#data-files", path)
    page.locator("#data-status").evaluate(LISTEN)
    page.locator("#data-send").click()


def picture(page: Page) -> bytes:
    return page.locator("#data-viewer canvas.lsv-canvas").screenshot()


def fill(page: Page, field: str, value: str) -> None:
    box = page.locator(f"#{field} input").last
    box.fill(value)
    box.press("Tab")


def choose(page: Page, field: str, title: str) -> None:
    page.locator(f"#{field} input").click()
    page.locator("li[role=option]").filter(has_text=title).first.click()


def test_a_wrong_file_is_named_with_its_frame_and_nothing_is_kept(
    stack: Stack, watched: Watched, tmp_path: Path
) -> None:
    folder = people(tmp_path / "broken", frames=40)
    path = folder / "03_01_run.bvh"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1 + WRONG_FRAME
    lines[at] = " ".join(["nan", *lines[at].split()[1:]])
    path.write_text("\n".join(lines))
    page = watched.page
    open_data(stack, page)
    before = page.locator("#data-list .ls-datatile").count()
    send(page, zip_of(folder))
    status = page.locator("#data-status[data-state=error]")
    expect(status).to_contain_text("03_01_run.bvh", timeout=30_000)
    expect(status).to_contain_text(f"frame {WRONG_FRAME}")
    expect(status).to_contain_text("Nothing was imported.")
    assert "Traceback" not in page.content()
    assert page.locator("#data-list .ls-datatile").count() == before
    with stack.client() as client:
        assert "broken" not in [view.name for view in client.list_datasets()]
    assert [line for line in watched.complaints if "400" not in line and "422" not in line] == []


@pytest.mark.timeout(600)  # an upload, a viewer without a GPU, an evaluator: three minutes on two quiet cores
def test_from_a_zip_to_a_loop_that_learns_from_it(stack: Stack, watched: Watched, zipped: Path) -> None:
    page = watched.page
    open_data(stack, page)
    page.locator(".ls-drop-fields label", has_text="Licence").locator("input").fill(LICENCE)
    send(page, zipped)
    expect(page.locator("#data-status")).to_have_text("Imported people.", timeout=60_000)
    said = page.evaluate("window.said")
    assert any(words.startswith("Sending") for words in said) and any(words.startswith("Reading") for words in said)

    tile = page.locator("#data-list .ls-datatile[data-chosen=true]")
    expect(tile).to_contain_text("10 clips, 30 s, 2 classes", timeout=30_000)
    detail = page.locator("#data-detail")
    expect(detail).to_contain_text(LICENCE, timeout=30_000)
    expect(detail).to_contain_text("By subject: held out 1")
    for label in ("run", "walk"):
        row = detail.locator(".ls-classes tr", has_text=label).first
        numbers = row.locator("td").all_inner_texts()
        assert numbers[:3] == [label, "5", "15"] and all(float(number) >= 0 for number in numbers[1:])
    expect(page.locator("#data-viewer .lsv-readout")).to_contain_text("/ 89", timeout=60_000)
    first = picture(page)
    assert len(first) > 5_000, "an empty canvas compresses to almost nothing"
    page.wait_for_timeout(1000)
    assert picture(page) != first, "the figure stands still while playing"

    page.get_by_role("tab", name="Launch").click()
    choose(page, "field-data", "Imported data set")
    expect(page.locator("#field-data-stored-id input")).to_have_value("people (10 clips, 2 classes)", timeout=15_000)
    fill(page, "field-name", "on people")
    fill(page, "field-n", "16")
    fill(page, "field-generations", "1")
    page.locator("#launch-form").get_by_role("button", name="Training").click()
    fill(page, "field-training-initial-steps", "20")
    fill(page, "field-training-steps", "5")
    page.locator("#launch-form").get_by_role("button", name="Evaluation").click()
    fill(page, "field-evaluation-samples", "16")
    fill(page, "field-evaluation-panel", "1")
    choose(page, "field-evaluation-panel-corrector", "None")
    expect(page.locator("#launch-status")).to_contain_text("1 loop of 1 generations", timeout=15_000)
    page.locator("#launch-submit").click()
    expect(page.locator("#launch-notice")).to_contain_text("'on people' is under way", timeout=15_000)
    page.get_by_role("tab", name="Loops").click()
    expect(page.locator("#loops-table")).to_contain_text("on people", timeout=15_000)
    with stack.client() as client:
        limit = time.monotonic() + 240
        while (view := client.list_loops()[0]).generation < 1 and view.state != "failed":
            assert time.monotonic() < limit, view.sentence
            time.sleep(0.3)
        assert view.error is None, view.error
        assert view.config["data"]["options"]["id"] == client.show_dataset("people").id
    expect(page.locator("#loops-table")).to_contain_text("1 / 1", timeout=15_000)
    assert watched.complaints == []


def test_deleted_it_leaves_the_launch_form_and_undo_brings_it_back(
    stack: Stack, watched: Watched, zipped: Path
) -> None:
    with stack.client() as client:
        view = client.import_data(zipped, ImportOptions(licence=LICENCE))  # the same files are the same data set
    page = watched.page
    open_data(stack, page)
    page.locator(f"#data-list [data-dataset='{view.id}'] [data-act=delete]").click()
    expect(page.locator("#data-notice")).to_contain_text(
        "'people' was deleted. Loops that learn from it go on.", timeout=30_000
    )
    tile = page.locator("#data-list .ls-datatile", has_text="people")
    expect(tile).to_have_count(0)
    page.get_by_role("tab", name="Launch").click()
    choose(page, "field-data", "Imported data set")
    expect(page.locator("#field-data-stored-id-none")).to_contain_text("Import motion on the Data page", timeout=30_000)
    expect(page.locator("#launch-status")).to_contain_text("no imported data set is named", timeout=30_000)
    page.get_by_role("tab", name="Data").click()
    page.locator("#data-notice [data-act=restore]").click()
    expect(page.locator("#data-notice")).to_contain_text("'people' is back.", timeout=30_000)
    expect(tile).to_have_count(1)
    tile.get_by_role("link", name="Launch a loop on it").click()
    expect(page.locator("#launch-submit")).to_contain_text("Launch 1 loop", timeout=15_000)
    expect(page.locator("#field-data-stored-id input")).to_have_value("people (10 clips, 2 classes)", timeout=15_000)
    assert f"dataset={view.id}" in page.url
    assert watched.complaints == []
