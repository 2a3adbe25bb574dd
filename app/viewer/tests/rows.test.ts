import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeMotion } from "../src/motion";
import { drawnFrames, rowsOf, type StripBand, stretchesOf } from "../src/rows";
import { lsm1, near, type Options } from "./factory";

function band(title: string, options: Options = {}): StripBand {
  return { title, color: "#D55E00", motion: decodeMotion(lsm1(options)) };
}

test("a row is there only where some pane has its values, with a line for each of these panes", () => {
  const rows = rowsOf([band("Raw"), band("Corrected", { tracks: { residual_torque: ["f4", (t) => 20 * t] } })]);
  assert.deepEqual(rows.map((row) => row.key), ["height-left foot", "skate", "penetration", "residual-torque"]);
  assert.deepEqual(rows[0].lines.map((line) => line.band.title), ["Raw", "Corrected"]);
  assert.deepEqual(rows[3].lines.map((line) => line.band.title), ["Corrected"]);
});

test("values are in the unit that the row names", () => {
  const tracks = {
    foot_height: ["f4", () => 0.12],
    penetration: ["f4", () => 0.03],
    tracking_error: ["f4", () => 0.025],
  } as const;
  const rows = rowsOf([band("Raw", { tracks })]);
  const first = (key: string) => rows.find((row) => row.key === key)?.lines[0].values[0] ?? Number.NaN;
  assert.ok(near(first("height-left foot"), 12, 1e-3));
  assert.ok(near(first("penetration"), 3, 1e-3));
  assert.ok(near(first("tracking-error"), 25, 1e-3));
  assert.deepEqual(rows.map((row) => row.unit), ["cm", "m/s", "cm", "mm"]);
});

test("panes share a row's range, which holds zero and all values", () => {
  const rows = rowsOf([
    band("Raw", { tracks: { foot_height: ["f4", (t) => (t === 0 ? -0.05 : 0.3)] } }),
    band("Corrected", { tracks: { foot_height: ["f4", () => 0.1] } }),
  ]);
  assert.ok(near(rows[0].high, 30, 1e-3));
  assert.ok(near(rows[0].low, -5, 1e-3));
});

test("stance goes with the foot's height, not with other rows", () => {
  const [height, skate] = rowsOf([band("Raw", { tracks: { stance: ["u1", (t) => (t < 2 ? 1 : 0)] } })]);
  assert.deepEqual([...(height.lines[0].stance ?? [])], [1, 1, 0, 0]);
  assert.equal(skate.lines[0].stance, null);
});

test("values that are no numbers do not set the range", () => {
  const [height] = rowsOf([band("Raw", { tracks: { foot_height: ["f4", (t) => (t === 1 ? Number.NaN : 0.2)] } })]);
  assert.ok(near(height.high, 20, 1e-3));
});

test("stretches are first and last frame of each run of ones", () => {
  assert.deepEqual(stretchesOf(Uint8Array.from([1, 1, 0, 0, 1, 0, 1])), [[0, 1], [4, 4], [6, 6]]);
  assert.deepEqual(stretchesOf(new Uint8Array(3)), []);
});

test("of a long motion each column keeps its extremes, and the ends remain", () => {
  const values = Float32Array.from({ length: 10_000 }, (_, i) => (i === 4321 ? 50 : i === 777 ? -50 : Math.sin(i)));
  const frames = drawnFrames(values, 200);
  assert.ok(frames.length <= 402);
  for (const wanted of [0, 777, 4321, 9999]) assert.ok(frames.includes(wanted));
  assert.deepEqual(frames, [...frames].sort((a, b) => a - b));
  assert.deepEqual(drawnFrames(values.subarray(0, 5), 200), [0, 1, 2, 3, 4]);
});
