"""Every route of the API, asked for what its description allows and for what it forbids: an answer in time, never a
failure of the server, and in the shape that the description promises."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.python import asgi

from backend import loops
from backend.api import create_api
from backend.context import Backend
from tests.app.seeding import keep_motions, open_silent, record, small
from tests.app.seedloops import gaussian, keep_seeds
from tests.security.effort import tried

pytestmark = pytest.mark.filterwarnings("ignore")  # what the generator of cases deprecates is not ours

SLOW_S = 30.0  # of any one answer: a hang, not a measure of speed
SKIPPED = ("/correct", "POST /datasets")  # starts processes; tests/security/test_uploads.py sends it what is wrong
RENDERED = (".mp4", ".png")  # a renderer starts for each that exists
TUPLES = ("/traces", "/curves")  # answers with tuples, which the validator takes for a mistake of the description
BOTH = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass(frozen=True)
class Site:
    """An API in this process, and loops that are really there."""

    backend: Backend
    schema: Any
    client: Any
    loop_ids: tuple[str, ...]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    backend = open_silent(tmp_path_factory.mktemp("openapi"))
    motion = record(backend, loops.launch(backend, small(), name="motion"), 2)
    keep_motions(backend, motion, 1)
    light = keep_seeds(backend, gaussian(), "light")
    waiting = loops.launch(backend, small(seed=3), name="waiting")
    api = create_api(backend)
    schema = schemathesis.openapi.from_asgi("/openapi.json", api)
    with asgi.get_client(cast(Any, api)) as client:
        yield Site(backend, schema, client, (motion.id, light.id, waiting.id))
    backend.close()


def routes() -> list[str]:
    from backend.api import ROUTERS

    return [
        f"{method} {route.path}"  # type: ignore[attr-defined]
        for router in ROUTERS
        for route in router.routes
        for method in sorted(route.methods)  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize("label", [label for label in routes() if not label.endswith(SKIPPED)])
def test_no_request_makes_the_server_fail(site: Site, label: str) -> None:
    operation = next(found.ok() for found in site.schema.get_all_operations() if found.ok().label == label)
    told: dict[str, Any] = operation.definition.raw["responses"]
    drawn = bool(operation.body or operation.path_parameters or operation.query)
    for mode in BOTH if drawn else BOTH[:1]:

        @tried(3, 120)
        @given(case=operation.as_strategy(generation_mode=mode), at=st.integers(0, 3), rest=st.integers(0, 1))
        def ask(case: Any, at: int, rest: int) -> None:
            if not label.endswith(RENDERED) and at < len(site.loop_ids) and "loop_id" in case.path_parameters:
                case.path_parameters["loop_id"] = site.loop_ids[at]
                for name, value in (("generation", rest), ("index", rest)):
                    if name in case.path_parameters:
                        case.path_parameters[name] = value
            started = time.monotonic()
            answer = case.call(session=site.client, timeout=SLOW_S)
            assert time.monotonic() - started < SLOW_S, f"{label} hangs"
            assert answer.status_code < 500, answer.text
            assert b"Traceback" not in answer.content
            if answer.status_code >= 400:
                error = answer.json()["error"]
                assert error["message"] and set(error) <= {"code", "message", "hint", "field"}
            elif str(answer.status_code) in told and not label.endswith(TUPLES):
                operation.validate_response(answer)

        ask()
