"""What a person asked for stays what was asked for, whichever door it went through: prompts, what a model is told, and
a data set of one's own."""

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import forms, formvalues
from app.options import changes_of
from app.pages import launch
from backend import datasets, loops, parts
from backend.client import Client
from backend.context import Backend
from backend.datasets import DatasetView
from backend.exports import export
from backend.importing.work import ImportOptions
from backend.sweep import sweep_of
from core.config import LONGEST_PROMPT, MOST_PROMPTS, LoopConfig, parse
from model.datasets.stored import StoredOptions
from model.denoisers.registry import LatentMlpOptions
from tests.app.commandline import Run, backend, home, run
from tests.backend.importing.files import people
from tests.backend.serving import Bridge, served

__all__ = ["backend", "home", "run"]

PROMPTS = ("a person walks, then stops", "-2 steps back", "“zwei” Schritte: 1, 2; {x} \\n")
FORM = forms.form_of(parts.catalogue())


def captioned(backend: Backend, folder: Path, name: str = "people") -> DatasetView:
    people(folder)
    rows = [f"{path.name},a person does {path.stem[6:]}" for path in sorted(folder.glob("*.bvh"))]
    (folder / "labels.csv").write_text("\n".join(["file,text", *rows]))
    return datasets.import_path(backend, folder, ImportOptions(name=name))


def wanted(dataset: str) -> LoopConfig:
    return parts.check(parts.read_config({
        "data": {"kind": "stored", "options": {"id": dataset, "frames": 30, "fps": 12.5, "mirror": False}},
        "model": {"kind": "latent-mlp", "options": {"condition": "text", "encoder": "words"}},
        "evaluation": {"prompts": list(PROMPTS)},
        "n": 32,
    }))  # fmt: skip


def typed(config: dict[str, Any], *, base: dict[str, Any] | None) -> LoopConfig:
    """The config after the form, whose values the browser holds as JSON."""
    values = json.loads(json.dumps(formvalues.values_of(FORM, config)))
    return parts.read_config(formvalues.config_of(FORM, values, seed=config["seed"], base=base))


def test_all_of_it_is_there(backend: Backend, tmp_path: Path) -> None:
    view = captioned(backend, tmp_path / "people")
    config = wanted("people")
    assert config.data.options == {"id": view.id, "frames": 30, "fps": 12.5, "mirror": False}
    assert (config.model.options["condition"], config.model.options["encoder"]) == ("text", "words")
    assert config.evaluation.prompts == PROMPTS


@pytest.mark.parametrize("with_base", [True, False])
def test_through_the_form(backend: Backend, tmp_path: Path, with_base: bool) -> None:
    captioned(backend, tmp_path / "people")
    config = wanted("people")
    plain = config.model_dump(mode="json")
    assert parts.check(typed(plain, base=plain if with_base else None)) == config


def test_through_the_queue_a_clone_a_file_and_an_address(backend: Backend, tmp_path: Path) -> None:
    captioned(backend, tmp_path / "people")
    config = wanted("people")
    view = loops.launch(backend, config, name="source")
    assert LoopConfig.model_validate(view.config) == config
    assert LoopConfig.model_validate(loops.clone(backend, view.id, {"seed": 0}).config) == config
    told = json.loads(export(backend, view.id, "json"))["loop"]["config"]
    assert parts.check(parts.read_config(told)) == config
    with gr.Blocks():
        page = launch.build(backend, gr.Textbox())
    updates = dict(zip((c.elem_id for c in page.outputs), page.open({"clone": view.id}), strict=True))
    values = [updates[field.elem_id] for field in FORM.fields]
    values = [
        value["value"] if "value" in value else field.default
        for field, value in zip(FORM.fields, values, strict=True)
    ]  # fmt: skip
    base = json.loads(updates["launch-base"])
    assert parts.check(parts.read_config(formvalues.config_of(FORM, values, base=base))) == config


def test_through_the_command_line(run: Run, backend: Backend, tmp_path: Path) -> None:
    captioned(backend, tmp_path / "people")
    config = wanted("people")
    words = [
        "--set", "n=32", "--set", "data.kind=stored", "--set", "data.options.id=people",
        "--set", "data.options.frames=30", "--set", "data.options.fps=12.5", "--set", "data.options.mirror=false",
        "--set", "model.options.condition=text", "--set", "model.options.encoder=words",
        "--set", f"evaluation.prompts={json.dumps(PROMPTS)}",
    ]  # fmt: skip
    made = json.loads(run("loops", "launch", *words, "--json").stdout)
    assert LoopConfig.model_validate(made["config"]) == config
    path = tmp_path / "config.json"
    path.write_text(json.dumps(made["config"]))
    again = json.loads(run("loops", "launch", "--config", str(path), "--json").stdout)
    assert again["config"] == made["config"]
    other = json.loads(
        run("loops", "clone", made["id"], "--set", 'evaluation.prompts=["jump"]', "--json").stdout
    )  # fmt: skip
    assert other["config"]["evaluation"]["prompts"] == ["jump"] and other["config"]["data"] == made["config"]["data"]


def test_through_rest(tmp_path: Path) -> None:
    with served(tmp_path / "home") as (backend, http), Client("http://test", transport=Bridge(http)) as client:
        captioned(backend, tmp_path / "people")
        config = wanted("people")
        by_name = config.model_dump(mode="json")
        by_name["data"]["options"]["id"] = "people"
        view = client.launch(LoopConfig.model_validate(by_name), name="a")
        assert LoopConfig.model_validate(view.config) == config
        assert LoopConfig.model_validate(client.clone(view.id, {"seed": 0}).config) == config
        swept = client.launch_sweep(sweep_of(config, {"training.steps": [5]}))
        assert swept[0].config["evaluation"]["prompts"] == list(PROMPTS)
        assert swept[0].config["data"] == view.config["data"]


@pytest.mark.parametrize("name", ["2024", "12.5", "walks, runs", "null x", "größer ☃"])
def test_any_name_of_a_data_set_can_be_set(run: Run, backend: Backend, tmp_path: Path, name: str) -> None:
    view = captioned(backend, tmp_path / "people", name)
    words = ("--set", "n=32", "--set", "data.kind=stored", "--set", f"data.options.id={name}", "--json")
    assert json.loads(run("loops", "launch", *words).stdout)["config"]["data"]["options"]["id"] == view.id


@pytest.mark.parametrize("digits", ["1234567890123456", "7862e71905102123", "0123456789012345"])
def test_an_id_that_looks_like_a_number_stays_what_it_is(digits: str) -> None:
    value = changes_of([f"data.options.id={digits}"])["data.options.id"]
    assert parse(StoredOptions, {"id": value}).id == digits


lines = st.text(min_size=1, max_size=60).map(lambda text: " ".join(text.split())).filter(
    lambda text: 0 < len(text) <= LONGEST_PROMPT and text.isprintable()
)  # fmt: skip
told = st.fixed_dictionaries(
    {"condition": st.sampled_from(["class", "text", "none"]), "encoder": st.sampled_from(["minilm", "clip", "words"])},
    optional={"path": st.text(max_size=20), "levels": st.integers(2, 1000)},
)
windows = st.fixed_dictionaries(
    {"id": st.text(max_size=40)},
    optional={"frames": st.integers(20, 196), "fps": st.floats(5, 60), "mirror": st.booleans()},
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompts=st.lists(lines, max_size=MOST_PROMPTS), model=told, data=windows)
def test_whatever_is_asked_for_survives_the_form(
    prompts: list[str], model: dict[str, Any], data: dict[str, Any]
) -> None:
    asked = {
        "data": {"kind": "stored", "options": data}, "model": {"kind": "latent-mlp", "options": model},
        "evaluation": {"prompts": prompts}, "seed": 3,
    }  # fmt: skip
    config = parts.read_config(asked)
    plain = config.model_dump(mode="json")
    again = typed(plain, base=plain)
    assert again.evaluation == config.evaluation
    assert parse(StoredOptions, again.data.options) == parse(StoredOptions, data)
    assert parse(LatentMlpOptions, again.model.options) == parse(LatentMlpOptions, model)
