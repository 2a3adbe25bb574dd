"""Screenshots of the pages from a running installation: `.venv/bin/python scripts/screenshots.py [URL] [FOLDER]`.

Start one with `./scripts/run --demo`, wait for the demo to finish, then run this. Writes launch.png, loops.png,
compare.png and inspect.png (1440 px wide) to docs/, audit.png where an audit is done, and lab.png where a card of the
Lab has been run.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from backend.client import Client
from backend.presets import PRESETS

FLAGS = ["--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
LATE = 10  # the generation to show motions of
SAMPLE = 9


def main(url: str, folder: Path) -> None:
    with Client(url) as client:
        demo, names = PRESETS["demo"].title, [name for name, _ in PRESETS["demo"].loops]
        finished = {view.name: view for view in client.list_loops(group=demo) if view.state == "done"}
        loops = {name: finished[name] for name in names if name in finished}
        experiments = [view for view in client.list_loops() if view.config["domain"] != "motion"]
        audits = [view.id for view in client.list_audits() if view.state == "done"]
    if not loops:
        raise SystemExit(f"No finished demo at {url}: run it first.")
    compared = ",".join(f"{view.id}:raw" for view in loops.values())
    pages = {
        "launch": ("launch", "#launch-submit"),
        "loops": ("loops", "#loops-table tr[data-loop]"),
        "compare": (f"compare&loops={','.join(view.id for view in loops.values())}", "#compare-plot .main-svg"),
        "inspect": (
            f"inspect&mode=loops&loops={compared}&generation={LATE}&sample={SAMPLE}&frame=14",
            "#inspect-viewer .lsv-readout",
        ),
    }
    if audits:
        pages["audit"] = (f"audit&audit={audits[0]}", "#audit-plot .main-svg")
    if experiments:
        pages["lab"] = ("lab", ".ls-labtile svg")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, (query, ready) in pages.items():
            page = browser.new_page(viewport={"width": 1440, "height": 960})
            page.goto(f"{url}/?tab={query}")
            page.locator(ready).first.wait_for(timeout=60_000)
            _settle(page)
            page.screenshot(path=folder / f"{name}.png")
            page.close()
            print(folder / f"{name}.png")
        browser.close()


def _settle(page: Page) -> None:
    """Until fonts, charts and the first sharp frame of the figures are there."""
    page.wait_for_timeout(5000)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(arguments[0] if arguments else "http://127.0.0.1:7860", Path(arguments[1] if len(arguments) > 1 else "docs"))
