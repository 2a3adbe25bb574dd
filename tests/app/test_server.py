"""The server: every part of it answers, nothing comes from the network, nothing is open by accident."""

import csv
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.curvesfile import curves_csv
from app.server import PUBLIC_BIND, check_bind, create_app
from backend import loops
from backend.access.users import add_user
from backend.context import Backend
from backend.settings import Settings
from core.errors import InvalidConfig
from tests.app.seeding import open_silent, record, small

ADDRESS = "http://127.0.0.1:7860"
LINKS_OUT = re.compile(r"""(?:src|href)=["'](https?:)?//""")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    backend = open_silent(tmp_path_factory.mktemp("home"))
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def client(opened: Backend) -> Iterator[TestClient]:
    app = create_app(opened.settings, backend=opened)
    with TestClient(app, base_url=ADDRESS) as found:
        yield found


def dependency(client: TestClient, output_of: str) -> dict[str, Any]:
    """The page's listener that sets the component with that elem_id."""
    config = client.get("/config").json()
    wanted = {c["id"] for c in config["components"] if c["props"].get("elem_id") == output_of}
    found: dict[str, Any] = next(d for d in config["dependencies"] if wanted & set(d["outputs"]))
    return found


def test_the_page_is_served_and_loads_nothing_from_the_network(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200 and "Loopscope" in page.text
    assert not LINKS_OUT.search(page.text)
    assert "fonts.googleapis" not in page.text


@pytest.mark.parametrize("path", ["/ui/ui.js", "/ui/icon.svg", "/ui/plotly.min.js", "/favicon.ico"])
def test_files_of_the_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200 and len(answer.content) > 100


def test_no_file_outside_its_folder_is_served(client: TestClient) -> None:
    for path in ("/ui/../theme.py", "/ui/%2e%2e/theme.py", "/viewer/%2e%2e/package.json"):
        assert "def theme" not in client.get(path).text


def test_the_api_stands_beside_the_page(client: TestClient) -> None:
    assert client.get("/api/v1/loops").json() == []
    assert client.get("/api/v1/loops/nowhere").status_code == 404


def test_stable_ids_for_tests_and_links(client: TestClient) -> None:
    components = client.get("/config").json()["components"]
    ids = {c["props"].get("elem_id") for c in components}
    assert ids >= {
        "launch-presets", "launch-form", "launch-status", "launch-submit", "launch-notice", "loops-table",
        "loops-notice", "compare-plot", "compare-group", "compare-loops", "compare-log", "compare-finals",
        "inspect-mode", "inspect-loop", "inspect-loops", "inspect-generation", "inspect-sample", "inspect-viewer",
        "inspect-details", "field-n", "field-generations", "field-seed", "field-corrector", "field-policy",
    }  # fmt: skip


def test_no_user_text_reaches_a_template(client: TestClient) -> None:
    components = client.get("/config").json()["components"]
    fixed = [c["props"] for c in components if "ls-" in str(c["props"].get("html_template"))]
    assert len(fixed) > 8
    assert all("${" not in p["html_template"] and "{{" not in p["html_template"] for p in fixed)


def test_the_pages_functions_are_no_public_api(client: TestClient) -> None:
    assert client.get("/gradio_api/info").status_code == 404


def test_curves_as_csv(opened: Backend, client: TestClient) -> None:
    view = record(opened, loops.launch(opened, small(seed=4), name="=cmd()"), 2)
    answer = client.get(f"/ui/curves.csv?loops={view.id},nowhere")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["generation"] for row in rows] == ["0", "1", "2"]
    assert rows[0]["name"] == "'=cmd()", "no formula for a spreadsheet"
    assert float(rows[2]["fid"]) == pytest.approx(view.latest["fid"])
    assert rows[0]["seed"] == "4"
    assert curves_csv(opened, []).count("\n") == 1


def test_a_view_opens_from_its_address(opened: Backend, client: TestClient) -> None:
    """What the browser does first: the load event, with the address in its query."""
    view = record(opened, loops.launch(opened, small(), name="wanted"), 2)
    load = dependency(client, "header")
    body = {"data": [], "fn_index": load["id"], "session_hash": "s", "trigger_id": None, "event_data": None}
    answer = client.post(f"/gradio_api/run/predict?tab=loops&loop={view.id}", json=body)
    assert answer.status_code == 200, answer.text
    assert "wanted" in answer.text and f"tab=loops&loop={view.id}" in answer.text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_open_bind_needs_users_or_leave(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PUBLIC_BIND, raising=False)
    settings = Settings(home=tmp_path, host=host)
    with pytest.raises(InvalidConfig, match="LOOPSCOPE_HOST.*loopscope users add NAME --role admin"):
        check_bind(settings)
    monkeypatch.setenv(PUBLIC_BIND, "1")
    check_bind(settings)
    monkeypatch.delenv(PUBLIC_BIND)
    opened = open_silent(tmp_path)
    add_user(opened, "ada", "correct horse battery", "admin")
    opened.close()
    check_bind(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_none(host: str, tmp_path: Path) -> None:
    check_bind(Settings(home=tmp_path, host=host))
    assert not list(tmp_path.iterdir()), "it did not even open the database"


def test_the_server_loads_neither_torch_nor_a_simulator(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom app.server import create_app\n"
        "from backend.settings import Settings\n"
        f"create_app(Settings(home=Path({str(tmp_path)!r})))\n"
        "print(sorted({'torch', 'pybullet', 'pyrender', 'scipy', 'sklearn', 'plotly'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("query", ["page=compare", "page=..%2F..%2Fetc", "page=&page=x"])
def test_an_address_with_a_page_that_is_none_opens_the_first(client: TestClient, query: str) -> None:
    answer = client.get(f"/?{query}&tab=loops")
    assert answer.status_code == 200
    assert answer.url.query == b"tab=loops"
