import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeMotion, durationOf, MotionError } from "../src/motion";
import { lsm1, near } from "./factory";

test("a motion decodes to what was encoded, arrays unknown to it ignored", () => {
  const motion = decodeMotion(lsm1({ contact: (t) => t % 2 }));
  assert.equal(motion.frames, 4);
  assert.equal(motion.joints, 2);
  assert.ok(near(durationOf(motion), 3 / 20));
  assert.deepEqual([...motion.contact], [0, 1, 0, 1]);
  assert.ok(near(motion.positions[(2 * 2 + 0) * 3], 0.2));
  assert.equal(motion.rotations[0], 1);
  assert.equal(motion.residualForce, null);
  assert.equal(motion.penetration.length, 4);
  assert.equal(motion.brokenFrames, 0);
});

test("bytes that are no motion are refused with a sentence", () => {
  const other = new TextEncoder().encode("<html>not a motion</html>").buffer as ArrayBuffer;
  assert.throws(() => decodeMotion(other), MotionError);
  assert.throws(() => decodeMotion(new ArrayBuffer(0)), /not a motion file/);
});

test("a cut file is refused and names the array", () => {
  assert.throws(() => decodeMotion(lsm1({ cutBytes: 30 })), /cut short \(inside "skate"\)/);
});

test("an array of another shape is refused with both shapes", () => {
  assert.throws(() => decodeMotion(lsm1({ header: { parents: [-1, 0, 1] } })), /\[4,2,3\], expected f4 \[4,3,3\]/);
});

test("a motion without frames is refused", () => {
  assert.throws(() => decodeMotion(lsm1({ header: { frames: 0 } })), /empty/);
});

test("frames with NaN repeat their neighbour and are counted", () => {
  const broken = decodeMotion(
    lsm1({ positions: (t, j) => [t === 0 || t === 2 ? Number.NaN : t, j, 0] }),
  );
  assert.equal(broken.brokenFrames, 2);
  const x = [0, 1, 2, 3].map((t) => broken.positions[t * 2 * 3]);
  assert.deepEqual(x, [1, 1, 1, 3]);
});

test("a motion of NaN alone is refused", () => {
  assert.throws(() => decodeMotion(lsm1({ positions: () => [Number.NaN, 0, 0] })), /nothing to draw/);
});

test("shapes of joints that do not exist are left out", () => {
  const body = [{ joint: 9, kind: "sphere", center: [0, 0, 0], radius: 1, side: "center" }];
  assert.equal(decodeMotion(lsm1({ header: { body } })).body.length, 0);
});

test("tracks of a simulation are there, and null where they are zero throughout", () => {
  const motion = decodeMotion(
    lsm1({ tracks: { residual_torque: ["f4", (t) => 10 * t], tracking_error: ["f4", (t) => t / 100], residual_force: ["f4", () => 0] } }),
  );
  assert.deepEqual([...(motion.residualTorque ?? [])], [0, 10, 20, 30]);
  assert.ok(near(motion.trackingError?.[3] ?? 0, 0.03));
  assert.equal(motion.residualForce, null);
});

test("a recording that says nothing of stance or of a frame still opens", () => {
  const old = decodeMotion(lsm1({ contact: (t) => t % 2 }));
  assert.deepEqual([...old.stance], [...old.contact]);
  assert.equal(old.rejectedFrame, null);
  const newer = decodeMotion(lsm1({ header: { rejected_frame: 2 }, tracks: { stance: ["u1", () => 1] } }));
  assert.deepEqual([...newer.stance], [1, 1, 1, 1]);
  assert.equal(newer.rejectedFrame, 2);
});
