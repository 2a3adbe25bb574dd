"""What drifts, under the FID curve: strips on its abscissa, the noise of generation 0, one sentence per line."""

import json
from html import unescape
from typing import Any

import pytest

from app.doubts import NO_DOUBTS, Doubts, doubts_of, verdicts
from app.driftstrip import MOST_SENTENCES, with_strip
from app.groups import Group, group_loops
from app.pages.finals import finals_table
from app.pages.looprows import loop_detail
from app.plots import small_multiples
from backend import loops, measures
from backend.context import Backend
from backend.drift import drift_of_loop
from backend.exports import export
from backend.presets import launch_preset
from model.metrics import METRICS
from tests.app.seeding import CAVEAT, FLOOR, NOISE, judged, record, small


def drawn(backend: Backend, groups: list[Group]) -> tuple[dict[str, Any], Doubts]:
    ids = [view.id for group in groups for view in group.loops]
    curves, doubts = measures.curves(backend, ids), doubts_of(groups, measures.doubts(backend, ids))
    chart = small_multiples(groups, curves, FLOOR, [METRICS["fid"]], doubts=doubts)["charts"][0]
    return with_strip(chart, groups, curves, doubts, verdicts(groups, curves, doubts, FLOOR)), doubts


def test_each_line_says_what_drifts_and_names_the_cure(backend: Backend) -> None:
    shaky = judged(backend, loops.launch(backend, small(), name="shaky"), artefacts=True)
    lossy = judged(backend, loops.launch(backend, small(n=72), name="lossy"), artefacts=False)
    groups = group_loops([shaky, lossy])
    chart, _ = drawn(backend, groups)
    assert [note["colour"] for note in chart["notes"]] == [group.colour for group in groups]
    first, second = (note["text"] for note in chart["notes"])
    assert first.startswith("Generation 3: artefacts") and "Correction is the cure" in first
    assert second.startswith("Generation 3: modes are lost") and "guidance 1" in second
    assert "generation 0" in chart["notes"][0]["detail"]


def test_the_strips_stand_below_the_curve_on_its_abscissa(backend: Backend) -> None:
    groups = group_loops([judged(backend, loops.launch(backend, small(), name="a"), artefacts=True)])
    chart, _ = drawn(backend, groups)
    layout, axes = chart["layout"], [trace.get("yaxis", "y") for trace in chart["data"]]
    assert axes.count("y2") == axes.count("y3") == 1
    domains = [layout[name]["domain"] for name in ("yaxis3", "yaxis2", "yaxis")]
    assert all(below[1] < above[0] for below, above in zip(domains, domains[1:], strict=False))
    assert layout["xaxis"]["anchor"] == "y3" and domains[0][0] == pytest.approx(0, abs=1e-9)
    plain = small_multiples(groups, measures.curves(backend, [groups[0].loops[0].id]), FLOOR, [METRICS["fid"]])
    inner = [each["height"] - 46 for each in (layout, plain["charts"][0]["layout"])]
    assert inner[0] * (domains[2][1] - domains[2][0]) == pytest.approx(inner[1])  # the curve keeps its size


def test_noise_of_what_is_never_negative_ends_at_zero(backend: Backend) -> None:
    (group,) = group_loops([record(backend, loops.launch(backend, small(), name="a"), 2)])
    curves = measures.curves(backend, [group.loops[0].id])
    few = Doubts({group.title: {"recall": [0.0, 0.02, 0.001]}})
    chart = small_multiples([group], curves, {}, [METRICS["recall"]], doubts=few)["charts"][0]
    (band,) = (s for s in chart["layout"]["shapes"] if s["name"] == "noise of generation 0" and s["type"] == "rect")
    assert band["y0"] == 0 and band["y1"] > 0.02


def test_noise_that_lines_share_is_drawn_once(backend: Backend) -> None:
    views = [judged(backend, loops.launch(backend, small(n=n), name=str(n)), artefacts=True, last=1) for n in (64, 72)]
    chart, doubts = drawn(backend, group_loops(views))
    assert len(doubts.bands("fid")) == 1
    (band,) = (s for s in chart["layout"]["shapes"] if s["name"] == "noise of generation 0" and s["type"] == "rect"
               and s["yref"] == "y")  # fmt: skip
    assert band["y0"] < min(NOISE["fid"]) and band["y1"] > max(NOISE["fid"])
    assert "noise dotted" in chart["subtitle"] and "generation 0" in chart["info"]


def test_seeds_are_judged_by_their_mean(backend: Backend) -> None:
    views = [
        judged(backend, loops.launch(backend, small(seed), name="x"), artefacts=False, last=2 + seed)
        for seed in range(2)
    ]
    (group,) = group_loops(views)
    chart, doubts = drawn(backend, [group])
    assert list(doubts.noise[group.title]["fid"]) == NOISE["fid"]
    assert [note["text"][:12] for note in chart["notes"]] == ["Generation 2"]  # the last one of both


def test_older_loops_are_drawn_as_they_were(backend: Backend) -> None:
    views = [record(backend, view, 2) for view in launch_preset(backend, "demo")]
    groups = group_loops(views)
    curves = measures.curves(backend, [view.id for view in views])
    chart = small_multiples(groups, curves, FLOOR, [METRICS["fid"]])["charts"][0]
    found, doubts = drawn(backend, groups)
    assert found == chart and doubts == NO_DOUBTS
    mixed = group_loops([*views, judged(backend, loops.launch(backend, small(n=80), name="new"), artefacts=True)])
    assert len(drawn(backend, mixed)[0]["notes"]) == 1


def test_too_many_sentences_are_counted_instead(backend: Backend) -> None:
    views = [
        judged(backend, loops.launch(backend, small(n=64 + k), name=str(k)), artefacts=True, last=1)
        for k in range(MOST_SENTENCES + 2)
    ]
    notes = drawn(backend, group_loops(views))[0]["notes"]
    assert len(notes) == MOST_SENTENCES + 1 and notes[-1]["text"] == "and 2 more lines"


def test_a_metric_of_too_few_samples_says_so_in_chart_and_table(backend: Backend) -> None:
    groups = group_loops([judged(backend, loops.launch(backend, small(), name="a"), artefacts=True)])
    chart, doubts = drawn(backend, groups)
    assert chart["subtitle"].startswith("too few samples") and chart["info"].endswith(CAVEAT)
    curves = measures.curves(backend, [groups[0].loops[0].id])
    shown = [METRICS["fid"], METRICS["recall"]]
    html = finals_table(groups, curves, FLOOR, shown, doubts=doubts)
    assert f"FID: {CAVEAT}" in html and html.count("too few samples") == 2  # at the head and at the sentence
    assert "too few samples" not in finals_table(groups, curves, FLOOR, shown)


def test_the_sentence_is_in_the_loops_row_and_in_its_file(backend: Backend) -> None:
    view = judged(backend, loops.launch(backend, small(), name="a"), artefacts=False)
    found = drift_of_loop(backend, view)
    assert found is not None and found.verdict == "modes" and found.generation == 3
    assert found.sentence in unescape(loop_detail(view, loops.generations(backend, view.id), [], found))
    told = json.loads(export(backend, view.id, "json"))
    assert told["drift"]["sentence"] == found.sentence
    assert told["noise"] == NOISE and told["caveats"] == {"fid": CAVEAT}
    assert "metric.mode_share" in export(backend, view.id, "csv").decode().splitlines()[0]
    old = record(backend, loops.launch(backend, small(n=90), name="old"), 1)
    assert drift_of_loop(backend, old) is None and "drift" not in json.loads(export(backend, old.id, "json"))
