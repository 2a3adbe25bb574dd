/** Motions and their bytes for the tests. */

export interface Options {
  frames?: number;
  fps?: number;
  header?: Record<string, unknown>;
  positions?: (frame: number, joint: number) => [number, number, number];
  rotations?: (frame: number, joint: number) => [number, number, number, number];
  contact?: (frame: number, foot: number) => number;
  skate?: (frame: number, foot: number) => number;
  /** Further arrays, by name: the element type and one value per frame. */
  tracks?: Record<string, readonly ["f4" | "u1", (frame: number) => number]>;
  cutBytes?: number;
}

const JOINTS = 2;
const FEET = 1;

/** LSM1 bytes of a two-jointed body whose second joint is a foot with one box around (0, 0, 0.1). */
export function lsm1(options: Options = {}): ArrayBuffer {
  const frames = options.frames ?? 4;
  const table = (count: number, row: (frame: number, item: number) => number[]) =>
    Array.from({ length: frames }, (_, frame) =>
      Array.from({ length: count }, (_, item) => row(frame, item)).flat(),
    ).flat();
  const position = options.positions ?? ((frame, joint) => [frame * 0.1, 1 - joint, 0]);
  const rotation = options.rotations ?? (() => [1, 0, 0, 0]);
  const contact = options.contact ?? (() => 0);
  const skate = options.skate ?? (() => 0);
  const arrays: [string, "f4" | "u1", number[], number[]][] = [
    // An odd number of bytes first: the next array must still be found.
    ["contact", "u1", [frames, FEET], table(FEET, (t, f) => [contact(t, f)])],
    ["positions", "f4", [frames, JOINTS, 3], table(JOINTS, (t, j) => position(t, j))],
    ["rotations", "f4", [frames, JOINTS, 4], table(JOINTS, (t, j) => rotation(t, j))],
    ["skate", "f4", [frames, FEET], table(FEET, (t, f) => [skate(t, f)])],
    ...Object.entries(options.tracks ?? {}).map(([name, [dtype, value]]): [string, "f4" | "u1", number[], number[]] => [
      name,
      dtype,
      // With one foot, a track of feet has the same values as one of frames.
      ["stance", "foot_height"].includes(name) ? [frames, FEET] : [frames],
      Array.from({ length: frames }, (_, frame) => value(frame)),
    ]),
    ["from_the_future", "f4", [frames], Array(frames).fill(7)],
  ];
  let offset = 0;
  const entries = arrays.map(([name, dtype, shape, values]) => {
    const entry = { name, dtype, shape, offset };
    offset += Math.ceil((values.length * (dtype === "f4" ? 4 : 1)) / 4) * 4;
    return entry;
  });
  const header = JSON.stringify({
    fps: options.fps ?? 20,
    frames,
    joint_names: ["root", "left_foot"],
    parents: [-1, 0],
    label: "walk",
    title: "Gehen – schön",
    status: null,
    reason: null,
    body: [
      { joint: 0, kind: "sphere", center: [0, 0, 0], radius: 0.1, side: "center" },
      {
        joint: 1,
        kind: "box",
        center: [0, 0, 0.1],
        half_extents: [0.05, 0.02, 0.1],
        rotation_wxyz: [1, 0, 0, 0],
        side: "left",
      },
    ],
    feet: [{ name: "left_foot", joint: 1 }],
    arrays: entries,
    ...options.header,
  });
  let text = new TextEncoder().encode(header);
  const padded = new Uint8Array(Math.ceil((8 + text.length) / 4) * 4 - 8).fill(32);
  padded.set(text);
  text = padded;
  const buffer = new ArrayBuffer(8 + text.length + offset);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  bytes.set(new TextEncoder().encode("LSM1"));
  view.setUint32(4, text.length, true);
  bytes.set(text, 8);
  arrays.forEach(([, dtype, , values], i) => {
    const start = 8 + text.length + entries[i].offset;
    values.forEach((value, k) => {
      if (dtype === "f4") view.setFloat32(start + 4 * k, value, true);
      else view.setUint8(start + k, value);
    });
  });
  return buffer.slice(0, buffer.byteLength - (options.cutBytes ?? 0));
}

export function near(actual: number, expected: number, tolerance = 1e-5): boolean {
  return Math.abs(actual - expected) <= tolerance;
}
