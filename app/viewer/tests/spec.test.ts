import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_PANES, parseSpec } from "../src/spec";

const pane = { id: "raw", title: "Raw", color: "#D55E00", url: "/m/1" };

test("object and JSON mean the same", () => {
  const spec = { panes: [pane], message: null, theme: "dark", prefetch: ["/m/2"], frame: 3 };
  assert.deepEqual(parseSpec(JSON.stringify(spec)), parseSpec(spec));
  assert.equal(parseSpec(spec).theme, "dark");
  assert.equal(parseSpec(spec).frame, 3);
});

test("nothing, nonsense and broken JSON are empty states with a sentence", () => {
  for (const input of [null, undefined, "", 7, [], "{", "null", {}]) {
    const spec = parseSpec(input);
    assert.equal(spec.panes.length, 0);
    assert.ok((spec.message ?? "").length > 10);
  }
});

test("a colour that is not one does not reach a style", () => {
  const spec = parseSpec({ panes: [{ ...pane, color: "red;background:url(//x)", ghost_color: 5 }] });
  assert.match(spec.panes[0].color, /^#[0-9A-F]{6}$/);
  assert.match(spec.panes[0].ghost_color, /^#[0-9A-F]{6}$/);
});

test("no more panes than fit, missing fields filled, foreign values dropped", () => {
  const spec = parseSpec({ panes: Array(9).fill({ url: 4 }), prefetch: [1, "/a"], camera: [1, 2], frame: "x" });
  assert.equal(spec.panes.length, MOST_PANES);
  assert.equal(spec.panes[0].url, null);
  assert.deepEqual(spec.prefetch, ["/a"]);
  assert.equal(spec.camera, null);
  assert.equal(spec.frame, null);
});
