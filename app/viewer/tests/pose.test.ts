import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeMotion } from "../src/motion";
import { frameAt, jointPosition, newPose, samplePose, slerp, toWorld } from "../src/pose";
import { lsm1, near } from "./factory";

const HALF = Math.SQRT1_2;
/** A quarter turn about y between the first frame and the second. */
const turning = () =>
  decodeMotion(lsm1({ frames: 2, rotations: (t) => (t === 0 ? [1, 0, 0, 0] : [HALF, 0, HALF, 0]) }));

test("a pose at a frame is that frame", () => {
  const motion = decodeMotion(lsm1());
  const pose = newPose(motion);
  samplePose(motion, 2 / 20, pose);
  const [x, y] = jointPosition(pose, 1);
  assert.ok(near(x, 0.2) && near(y, 0));
});

test("half way between frames positions are half way and rotations half the angle", () => {
  const motion = turning();
  const pose = newPose(motion);
  samplePose(motion, 0.5 / 20, pose);
  assert.ok(near(jointPosition(pose, 0)[0], 0.05));
  const [x, y, z] = toWorld(pose, 1, [0, 0, 1]);
  assert.ok(near(x - 0.05, Math.sin(Math.PI / 4)) && near(y, 0) && near(z, Math.cos(Math.PI / 4)));
});

test("outside its time a motion holds its ends", () => {
  const motion = decodeMotion(lsm1());
  assert.deepEqual(frameAt(motion, -1), { frame: 0, share: 0 });
  assert.deepEqual(frameAt(motion, 99), { frame: 3, share: 0 });
});

test("slerp takes the shorter way and stays a rotation", () => {
  const out = new Float64Array(4);
  slerp([1, 0, 0, 0, -HALF, 0, -HALF, 0], 0, 4, 0.5, out);
  assert.ok(near(Math.abs(out[0]), Math.cos(Math.PI / 8)));
  for (const share of [0, 0.3, 1]) {
    slerp([1, 0, 0, 0, 0, 1, 0, 0], 0, 4, share, out);
    assert.ok(near(Math.hypot(...out), 1, 1e-9));
  }
});

test("rotation matrices keep lengths", () => {
  const motion = turning();
  const pose = newPose(motion);
  samplePose(motion, 0.3 / 20, pose);
  const origin = jointPosition(pose, 0);
  const moved = toWorld(pose, 0, [0.3, -0.4, 1.2]).map((v, i) => v - origin[i]);
  assert.ok(near(Math.hypot(...moved), 1.3));
});
