/** The strip's rows as plain data: which values each pane's line has, and in which range all of them are drawn. */

import type { Motion, Side } from "./motion";

export interface StripBand {
  readonly title: string;
  /** #rrggbb */
  readonly color: string;
  readonly motion: Motion;
}

/** One pane's part of a row. */
export interface StripLine {
  readonly band: StripBand;
  /** One value per frame, in the row's unit. */
  readonly values: Float32Array;
  /** 1 where the foot stands; null where the row is not about a foot. */
  readonly stance: Uint8Array | null;
}

export interface StripRow {
  /** Stays the same while panes come and go. */
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  readonly meaning: string;
  readonly low: number;
  readonly high: number;
  readonly filled: boolean;
  readonly lines: readonly StripLine[];
}

interface Kind {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly digits: number;
  readonly meaning: string;
  /** The axis reaches at least from 0 to here, so that noise is not blown up, and at most to `most`. */
  readonly least: number;
  readonly most: number;
  readonly filled: boolean;
  /** Values in the row's unit; null where the motion has none. */
  of(motion: Motion): Float32Array | null;
}

const KINDS: readonly Kind[] = [
  {
    key: "skate", title: "foot skate", unit: "m/s", digits: 2, least: 0.2, most: 5, filled: false,
    meaning: "Horizontal speed of the soles within 5 cm of the floor; the faster foot",
    of: (motion) => fastest(motion),
  },
  {
    key: "penetration", title: "below floor", unit: "cm", digits: 1, least: 2, most: 100, filled: false,
    meaning: "How deep the body's lowest point is under the floor",
    of: (motion) => motion.penetration.map((depth) => depth * 100),
  },
  {
    key: "residual-force", title: "residual force", unit: "body weights", digits: 2, least: 0.2, most: 10, filled: true,
    meaning: "Force from outside the physics that kept the simulated body up",
    of: (motion) => motion.residualForce,
  },
  {
    key: "residual-torque", title: "residual torque", unit: "N m", digits: 0, least: 5, most: 5000, filled: true,
    meaning: "Torque from outside the physics that kept the simulated body upright",
    of: (motion) => motion.residualTorque,
  },
  {
    key: "tracking-error", title: "tracking error", unit: "mm", digits: 0, least: 10, most: 2000, filled: true,
    meaning: "Mean joint distance between the simulated body and the motion that it follows",
    of: (motion) => motion.trackingError?.map((error) => error * 1000) ?? null,
  },
];

/** A row for each foot, then one for each measure that some pane has. All panes share a row's range. */
export function rowsOf(bands: readonly StripBand[]): StripRow[] {
  return [...footRows(bands), ...KINDS.flatMap((kind) => kindRow(kind, bands))];
}

/** Frames to draw where pixels are fewer: the lowest and the highest of each of `columns` stretches, and both ends. */
export function drawnFrames(values: Float32Array, columns: number): number[] {
  const { length } = values;
  if (length <= 2 * columns) return Array.from(values.keys());
  const frames = new Set([0, length - 1]);
  for (let column = 0; column < columns; column++) {
    const end = Math.floor(((column + 1) * length) / columns);
    let low = Math.floor((column * length) / columns);
    let high = low;
    for (let frame = low; frame < end; frame++) {
      if (values[frame] < values[low]) low = frame;
      if (values[frame] > values[high]) high = frame;
    }
    frames.add(low).add(high);
  }
  return [...frames].sort((a, b) => a - b);
}

/** Stretches of ones as [first, last] frames. */
export function stretchesOf(mask: Uint8Array): [number, number][] {
  const found: [number, number][] = [];
  for (let frame = 0; frame < mask.length; frame++) {
    if (!mask[frame]) continue;
    const first = frame;
    while (frame + 1 < mask.length && mask[frame + 1]) frame++;
    found.push([first, frame]);
  }
  return found;
}

function kindRow(kind: Kind, bands: readonly StripBand[]): StripRow[] {
  const lines = bands.flatMap((band): StripLine[] => {
    const values = kind.of(band.motion);
    return values === null ? [] : [{ band, values, stance: null }];
  });
  if (lines.length === 0) return [];
  const { key, title, unit, digits, meaning, filled } = kind;
  const high = Math.min(Math.max(kind.least, ...lines.map(({ values }) => largest(values))), kind.most);
  return [{ key, title, unit, digits, meaning, filled, low: 0, high, lines }];
}

function footRows(bands: readonly StripBand[]): StripRow[] {
  const rows = new Map<string, StripLine[]>();
  for (const band of bands) {
    const { motion } = band;
    motion.feet.forEach((_, foot) => {
      const name = footName(motion, foot);
      const line = {
        band,
        values: perFoot(motion, foot, motion.footHeight).map((height) => height * 100),
        stance: Uint8Array.from(perFoot(motion, foot, motion.stance)),
      };
      rows.set(name, [...(rows.get(name) ?? []), line]);
    });
  }
  const all = [...rows.values()].flat();
  const high = Math.min(Math.max(10, ...all.map(({ values }) => largest(values))), 200);
  const low = -Math.min(Math.max(1, ...all.map(({ values }) => largest(values.map((height) => -height)))), high / 2);
  return [...rows].map(([name, lines]) => ({
    key: `height-${name}`, title: `${name} height`, unit: "cm", digits: 1, low, high, filled: false, lines,
    meaning: "Height of the sole's lowest point; the bars below say when the foot stands",
  }));
}

/** "left foot" where the side is known, else the joint's own name. */
function footName(motion: Motion, foot: number): string {
  const { joint, name } = motion.feet[foot];
  const side: Side = motion.body.find((shape) => shape.joint === joint)?.side ?? "center";
  const twins = motion.feet.filter((other) => motion.body.find((s) => s.joint === other.joint)?.side === side);
  return side !== "center" && twins.length === 1 ? `${side} foot` : name;
}

function perFoot(motion: Motion, foot: number, values: Float32Array | Uint8Array): Float32Array {
  const feet = motion.feet.length;
  return Float32Array.from({ length: motion.frames }, (_, frame) => values[frame * feet + foot]);
}

function fastest(motion: Motion): Float32Array {
  const feet = motion.feet.length;
  return Float32Array.from({ length: motion.frames }, (_, frame) =>
    largest(motion.skate.subarray(frame * feet, (frame + 1) * feet)),
  );
}

/** The largest value above zero; NaN does not count. */
function largest(values: Float32Array): number {
  let most = 0;
  for (const value of values) if (value > most) most = value;
  return most;
}
