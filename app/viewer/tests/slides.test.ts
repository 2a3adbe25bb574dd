import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeMotion } from "../src/motion";
import { footTracks, slidesOf } from "../src/slides";
import { lsm1, near } from "./factory";

test("a foot's track is the middle of its shapes", () => {
  const motion = decodeMotion(lsm1());
  const tracks = footTracks(motion);
  assert.ok(near(tracks[0], 0) && near(tracks[1], 0.1));
  assert.ok(near(tracks[6], 0.3) && near(tracks[7], 0.1));
});

test("a slide is as long as speed times time, whatever the track says", () => {
  const motion = decodeMotion(lsm1({ frames: 5, contact: () => 1, skate: (t) => (t === 0 ? 0 : 0.4) }));
  const slides = slidesOf(motion, footTracks(motion));
  assert.equal(slides.length, 1);
  const [{ points, length_m }] = slides;
  assert.ok(near(length_m, (4 * 0.4) / 20));
  assert.ok(near(points[4].x - points[0].x, length_m));
  assert.deepEqual(points.map((point) => point.frame), [0, 1, 2, 3, 4]);
});

test("a slide ends where the foot is", () => {
  const motion = decodeMotion(lsm1({ contact: () => 1, skate: () => 1 }));
  const last = slidesOf(motion, footTracks(motion))[0].points.at(-1);
  assert.ok(last !== undefined && near(last.x, 0.3) && near(last.z, 0.1));
});

test("each contact has its own slide, and rolling feet have none", () => {
  const contact = (t: number) => (t === 3 ? 0 : 1);
  const sliding = decodeMotion(lsm1({ frames: 7, contact, skate: () => 0.5 }));
  assert.equal(slidesOf(sliding, footTracks(sliding)).length, 2);
  const rolling = decodeMotion(lsm1({ frames: 7, contact }));
  assert.equal(slidesOf(rolling, footTracks(rolling)).length, 0);
});
