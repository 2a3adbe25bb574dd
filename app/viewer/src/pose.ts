/** A motion at any moment: positions are interpolated linearly, rotations on the sphere. */

import type { Motion, Vec3 } from "./motion";

/** One 4x4 matrix per joint, column major: (J * 16,). */
export type Pose = Float32Array;

export function newPose(motion: Motion): Pose {
  return new Float32Array(motion.joints * 16);
}

/** Index of the frame at `time` and the share of the way to the next one, held at both ends. */
export function frameAt(motion: Motion, time: number): { frame: number; share: number } {
  const at = Math.min(Math.max(time * motion.fps, 0), motion.frames - 1);
  const frame = Math.min(Math.floor(at + 1e-6), motion.frames - 1);
  return { frame, share: frame === motion.frames - 1 ? 0 : Math.max(at - frame, 0) };
}

/** Write the global joint transforms at `time` seconds into `out`. */
export function samplePose(motion: Motion, time: number, out: Pose): void {
  const { frame, share } = frameAt(motion, time);
  const next = Math.min(frame + 1, motion.frames - 1);
  const { positions, rotations, joints } = motion;
  for (let joint = 0; joint < joints; joint++) {
    const p0 = (frame * joints + joint) * 3;
    const p1 = (next * joints + joint) * 3;
    slerp(rotations, (frame * joints + joint) * 4, (next * joints + joint) * 4, share, quaternion);
    writeMatrix(
      out,
      joint * 16,
      quaternion,
      positions[p0] + (positions[p1] - positions[p0]) * share,
      positions[p0 + 1] + (positions[p1 + 1] - positions[p0 + 1]) * share,
      positions[p0 + 2] + (positions[p1 + 2] - positions[p0 + 2]) * share,
    );
  }
}

/** `point` of a joint's frame, in the world. */
export function toWorld(pose: Pose, joint: number, point: Vec3): [number, number, number] {
  const m = joint * 16;
  const [x, y, z] = point;
  return [
    pose[m] * x + pose[m + 4] * y + pose[m + 8] * z + pose[m + 12],
    pose[m + 1] * x + pose[m + 5] * y + pose[m + 9] * z + pose[m + 13],
    pose[m + 2] * x + pose[m + 6] * y + pose[m + 10] * z + pose[m + 14],
  ];
}

/** Where the joint itself is. */
export function jointPosition(pose: Pose, joint: number): [number, number, number] {
  return [pose[joint * 16 + 12], pose[joint * 16 + 13], pose[joint * 16 + 14]];
}

const quaternion = new Float64Array(4);

/** Shoemake 1985, shorter arc; `out` is wxyz and unit. */
export function slerp(from: ArrayLike<number>, i: number, k: number, share: number, out: Float64Array): void {
  let dot = 0;
  for (let c = 0; c < 4; c++) dot += from[i + c] * from[k + c];
  const sign = dot < 0 ? -1 : 1;
  const angle = Math.acos(Math.min(Math.abs(dot), 1));
  const sine = Math.sin(angle);
  const a = sine < 1e-5 ? 1 - share : Math.sin((1 - share) * angle) / sine;
  const b = sign * (sine < 1e-5 ? share : Math.sin(share * angle) / sine);
  let length = 0;
  for (let c = 0; c < 4; c++) {
    out[c] = a * from[i + c] + b * from[k + c];
    length += out[c] * out[c];
  }
  const scale = length > 1e-12 ? 1 / Math.sqrt(length) : 0;
  for (let c = 0; c < 4; c++) out[c] *= scale;
  if (scale === 0) out[0] = 1;
}

function writeMatrix(out: Pose, at: number, wxyz: Float64Array, x: number, y: number, z: number): void {
  const [w, i, j, k] = wxyz;
  out[at] = 1 - 2 * (j * j + k * k);
  out[at + 1] = 2 * (i * j + w * k);
  out[at + 2] = 2 * (i * k - w * j);
  out[at + 3] = 0;
  out[at + 4] = 2 * (i * j - w * k);
  out[at + 5] = 1 - 2 * (i * i + k * k);
  out[at + 6] = 2 * (j * k + w * i);
  out[at + 7] = 0;
  out[at + 8] = 2 * (i * k + w * j);
  out[at + 9] = 2 * (j * k - w * i);
  out[at + 10] = 1 - 2 * (i * i + j * j);
  out[at + 11] = 0;
  out[at + 12] = x;
  out[at + 13] = y;
  out[at + 14] = z;
  out[at + 15] = 1;
}
