/** Foot skate as paths on the floor: the length of a path is the distance slid, by the metric's own speed. */

import type { Motion } from "./motion";
import { newPose, samplePose, toWorld } from "./pose";

export interface SlidePoint {
  readonly frame: number;
  readonly x: number;
  readonly z: number;
}

export interface Slide {
  readonly foot: number;
  readonly length_m: number;
  /** From touch-down to the end of the contact. */
  readonly points: readonly SlidePoint[];
}

/** Shorter paths are rolling and noise, not skating. */
const SHORTEST_M = 0.015;

/** Middle of each foot's shapes on the floor: (T, F, 2) as x, z. */
export function footTracks(motion: Motion): Float32Array {
  const { frames, feet } = motion;
  const tracks = new Float32Array(frames * feet.length * 2);
  const pose = newPose(motion);
  const centers = feet.map((foot) => footCenter(motion, foot.joint));
  for (let frame = 0; frame < frames; frame++) {
    samplePose(motion, frame / motion.fps, pose);
    feet.forEach((foot, f) => {
      const [x, , z] = toWorld(pose, foot.joint, centers[f]);
      tracks.set([x, z], (frame * feet.length + f) * 2);
    });
  }
  return tracks;
}

/** One slide per stretch of contact in which the foot moved.
 *
 * A rolling foot moves without slipping, so the track itself would be too long: each step of a path has the
 * track's direction and the measured skate's length, laid backwards from where the contact ended. */
export function slidesOf(motion: Motion, tracks: Float32Array): Slide[] {
  const { frames, feet, contact, skate, fps } = motion;
  const slides: Slide[] = [];
  const count = feet.length;
  for (let foot = 0; foot < count; foot++) {
    let frame = frames - 1;
    while (frame >= 0) {
      if (!contact[frame * count + foot]) {
        frame--;
        continue;
      }
      let x = tracks[(frame * count + foot) * 2];
      let z = tracks[(frame * count + foot) * 2 + 1];
      let length = 0;
      const points: SlidePoint[] = [{ frame, x, z }];
      while (frame > 0 && contact[(frame - 1) * count + foot]) {
        const now = (frame * count + foot) * 2;
        const before = ((frame - 1) * count + foot) * 2;
        const dx = tracks[now] - tracks[before];
        const dz = tracks[now + 1] - tracks[before + 1];
        const step = skate[frame * count + foot] / fps;
        const norm = Math.hypot(dx, dz);
        if (norm > 1e-6 && step > 0) {
          x -= (dx / norm) * step;
          z -= (dz / norm) * step;
          length += step;
        }
        frame--;
        points.push({ frame, x, z });
      }
      frame--;
      if (length >= SHORTEST_M) slides.push({ foot, length_m: length, points: points.reverse() });
    }
  }
  return slides;
}

function footCenter(motion: Motion, joint: number): [number, number, number] {
  const sum: [number, number, number] = [0, 0, 0];
  const shapes = motion.body.filter((shape) => shape.joint === joint);
  for (const shape of shapes) {
    for (let c = 0; c < 3; c++) {
      sum[c] += (shape.kind === "capsule" ? (shape.a[c] + shape.b[c]) / 2 : shape.center[c]) / shapes.length;
    }
  }
  return sum;
}
