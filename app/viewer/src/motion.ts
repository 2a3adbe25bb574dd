/** Motions as the server sends them ("LSM1": header, then typed arrays). y up, metres, seconds, wxyz. */

export type Vec3 = readonly [number, number, number];
export type Side = "left" | "right" | "center";
export type Status = "corrected" | "unchanged" | "rejected" | null;

export type Shape =
  | {
      readonly joint: number;
      readonly kind: "capsule";
      readonly a: Vec3;
      readonly b: Vec3;
      readonly radius: number;
      readonly radius_b?: number;
      readonly side: Side;
    }
  | {
      readonly joint: number;
      readonly kind: "sphere";
      readonly center: Vec3;
      readonly radius: number;
      readonly side: Side;
    }
  | {
      readonly joint: number;
      readonly kind: "box";
      readonly center: Vec3;
      readonly half_extents: Vec3;
      readonly rotation_wxyz: readonly [number, number, number, number];
      readonly side: Side;
    };

export interface Foot {
  readonly name: string;
  readonly joint: number;
}

export interface Motion {
  readonly fps: number;
  readonly frames: number;
  readonly joints: number;
  readonly parents: readonly number[];
  readonly status: Status;
  readonly reason: string | null;
  /** Shapes in the frame of their joint. */
  readonly body: readonly Shape[];
  readonly feet: readonly Foot[];
  /** (T, J, 3) global, m. */
  readonly positions: Float32Array;
  /** (T, J, 4) global, wxyz. */
  readonly rotations: Float32Array;
  /** Frame that the rejection names; null where it names none. */
  readonly rejectedFrame: number | null;
  /** (T, F) 1 where a sole is near the floor. */
  readonly contact: Uint8Array;
  /** (T, F) 1 where the foot stands: low and slow. As `contact` in recordings that do not say. */
  readonly stance: Uint8Array;
  /** (T, F) lowest point of the sole, m. */
  readonly footHeight: Float32Array;
  /** (T, F) m/s while in contact, else 0. */
  readonly skate: Float32Array;
  /** (T,) deepest point below the floor, m, >= 0. */
  readonly penetration: Float32Array;
  /** (T,) body weights; null where nothing was simulated. */
  readonly residualForce: Float32Array | null;
  /** (T,) N m; null where nothing was simulated. */
  readonly residualTorque: Float32Array | null;
  /** (T,) m between the simulated body and what it follows; null where nothing was simulated. */
  readonly trackingError: Float32Array | null;
  /** Frames that held NaN or infinity and were replaced by their nearest readable neighbour. */
  readonly brokenFrames: number;
}

/** The bytes are not a motion. `message` is a sentence that may be shown. */
export class MotionError extends Error {}

interface ArrayEntry {
  name: string;
  dtype: string;
  shape: number[];
  offset: number;
}

interface Header {
  fps: number;
  frames: number;
  joint_names: string[];
  parents: number[];
  status?: Status;
  reason?: string | null;
  rejected_frame?: number | null;
  body: Shape[];
  feet: Foot[];
  arrays: ArrayEntry[];
}

const MAGIC = "LSM1";
const PREFIX_BYTES = 8;

/** Seconds from the first frame to the last. */
export function durationOf(motion: Motion): number {
  return (motion.frames - 1) / motion.fps;
}

/** Decode LSM1 bytes. Unknown arrays are ignored. Throws MotionError. */
export function decodeMotion(buffer: ArrayBuffer): Motion {
  const { header, arraysAt } = readHeader(buffer);
  const frames = header.frames;
  const joints = header.parents.length;
  const feet = header.feet ?? [];
  if (!(header.fps > 0) || !(frames >= 1) || !(joints >= 1)) {
    throw new MotionError(`The motion is empty (${frames} frames, ${joints} joints, ${header.fps} fps).`);
  }
  const read = (name: string, dtype: "f4" | "u1", shape: number[]) =>
    readArray(buffer, arraysAt, header.arrays, name, dtype, shape);
  const floats = (name: string, shape: number[]) => read(name, "f4", shape) as Float32Array | null;
  const positions = required(floats("positions", [frames, joints, 3]), "positions");
  const rotations = required(floats("rotations", [frames, joints, 4]), "rotations");
  const perFoot = [frames, feet.length];
  const brokenFrames = repairFrames(frames, [positions, rotations]);
  const contact = (read("contact", "u1", perFoot) as Uint8Array | null) ?? new Uint8Array(frames * feet.length);
  return {
    fps: header.fps,
    frames,
    joints,
    parents: header.parents,
    status: header.status ?? null,
    reason: header.reason ?? null,
    body: (header.body ?? []).filter((shape) => shape.joint >= 0 && shape.joint < joints),
    feet,
    positions,
    rotations,
    rejectedFrame: header.rejected_frame ?? null,
    contact,
    stance: (read("stance", "u1", perFoot) as Uint8Array | null) ?? contact,
    footHeight: floats("foot_height", perFoot) ?? new Float32Array(frames * feet.length),
    skate: floats("skate", perFoot) ?? new Float32Array(frames * feet.length),
    penetration: floats("penetration", [frames]) ?? new Float32Array(frames),
    residualForce: somewhere(floats("residual_force", [frames])),
    residualTorque: somewhere(floats("residual_torque", [frames])),
    trackingError: somewhere(floats("tracking_error", [frames])),
    brokenFrames,
  };
}

function readHeader(buffer: ArrayBuffer): { header: Header; arraysAt: number } {
  const bytes = new Uint8Array(buffer);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (buffer.byteLength < PREFIX_BYTES || magic !== MAGIC) {
    throw new MotionError("The answer is not a motion file (it does not begin with LSM1).");
  }
  const length = new DataView(buffer).getUint32(4, true);
  const arraysAt = PREFIX_BYTES + length;
  if (arraysAt > buffer.byteLength) {
    throw new MotionError("The motion file is cut short (its header is incomplete).");
  }
  try {
    const text = new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, arraysAt));
    const header = JSON.parse(text) as Header;
    if (!Array.isArray(header.parents) || !Array.isArray(header.arrays)) {
      throw new MotionError("The motion file's header names no joints or no arrays.");
    }
    return { header, arraysAt };
  } catch (error) {
    if (error instanceof MotionError) throw error;
    throw new MotionError("The motion file's header is not readable.");
  }
}

function readArray(
  buffer: ArrayBuffer,
  arraysAt: number,
  entries: readonly ArrayEntry[],
  name: string,
  dtype: "f4" | "u1",
  shape: readonly number[],
): Float32Array | Uint8Array | null {
  const entry = entries.find((candidate) => candidate.name === name);
  if (entry === undefined) return null;
  if (entry.dtype !== dtype || entry.shape.join() !== shape.join()) {
    throw new MotionError(
      `The motion's "${name}" is ${entry.dtype} [${entry.shape}], expected ${dtype} [${shape}].`,
    );
  }
  const count = shape.reduce((product, size) => product * size, 1);
  const start = arraysAt + entry.offset;
  const end = start + count * (dtype === "f4" ? 4 : 1);
  if (!(entry.offset >= 0) || end > buffer.byteLength) {
    throw new MotionError(`The motion file is cut short (inside "${name}").`);
  }
  // A slice, because a view must start at a multiple of 4 and because frames are repaired in place.
  const bytes = buffer.slice(start, end);
  return dtype === "f4" ? new Float32Array(bytes) : new Uint8Array(bytes);
}

/** A track, if it says anything: zero throughout means that nothing was simulated. */
function somewhere(track: Float32Array | null): Float32Array | null {
  return track?.some((value) => value !== 0) ? track : null;
}

function required<T>(value: T | null, name: string): T {
  if (value === null) throw new MotionError(`The motion file has no "${name}".`);
  return value;
}

/** Rejected samples may hold NaN: each unreadable frame shows the one before it (or the first readable). */
function repairFrames(frames: number, arrays: readonly Float32Array[]): number {
  const readable: boolean[] = [];
  for (let frame = 0; frame < frames; frame++) {
    readable.push(arrays.every((array) => rowOf(array, frames, frame).every(Number.isFinite)));
  }
  const first = readable.indexOf(true);
  if (first < 0) throw new MotionError("Every frame of this motion holds NaN or infinity: nothing to draw.");
  for (let frame = 0; frame < frames; frame++) {
    if (readable[frame]) continue;
    const source = frame < first ? first : frame - 1;
    for (const array of arrays) rowOf(array, frames, frame).set(rowOf(array, frames, source));
  }
  return readable.filter((ok) => !ok).length;
}

function rowOf(array: Float32Array, frames: number, frame: number): Float32Array {
  const width = array.length / frames;
  return array.subarray(frame * width, (frame + 1) * width);
}
