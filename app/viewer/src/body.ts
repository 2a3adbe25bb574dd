/** The figure's skin: one geometry for the whole body, each vertex bound to one joint.
 *
 * Vertices are stored in their joint's frame, so the joint transforms of a frame are all a drawing needs. Shapes
 * that do not touch (a body made for physics has gaps at knees, waist and shoulders) are joined by tapered links
 * whose two ends belong to two joints and stretch with them. */

import * as THREE from "three";
import { RoundedBoxGeometry } from "three/examples/jsm/geometries/RoundedBoxGeometry.js";

import type { Motion, Shape, Side, Vec3 } from "./motion";
import { newPose, samplePose } from "./pose";

const RADIAL_SEGMENTS = 14;
const CAP_RINGS = 4;
/** A joint in the middle of the body without children is a head: what carries it is a neck. */
const NECK_SHARE = 0.5;

/** An end that lies inside a shape of another shade must not show through it. */
const INSIDE = 0.96;

/** The line inside a shape, with the radius at both ends; in the joint's frame. */
interface Core {
  readonly joint: number;
  readonly side: Side;
  readonly a: THREE.Vector3;
  readonly b: THREE.Vector3;
  readonly radiusA: number;
  readonly radiusB: number;
}

interface End {
  readonly joint: number;
  readonly point: THREE.Vector3;
  readonly radius: number;
}

/** Lighter left, darker right, so that crossing limbs can be told apart. */
export function shadeOf(color: THREE.Color, side: Side): THREE.Color {
  // Mixed as the eye sees it (sRGB), where equal steps look equal.
  const seen = color.clone().convertLinearToSRGB();
  if (side === "left") seen.lerp(new THREE.Color(1, 1, 1), 0.36);
  if (side === "right") seen.multiplyScalar(0.66);
  return seen.convertSRGBToLinear();
}

/** Geometry with position, normal, color, skinIndex and skinWeight. */
export function bodyGeometry(motion: Motion, color: string): THREE.BufferGeometry {
  const skin = new Skin(new THREE.Color(color));
  const cores = motion.body.map(coreOf);
  motion.body.forEach((shape, index) => {
    if (shape.kind === "box") skin.addBox(shape);
    else skin.addCapsule(endOf(cores[index], 0), endOf(cores[index], 1), shape.side);
  });
  const rest = restFrames(motion);
  for (const link of linksOf(motion, cores, rest)) skin.addLink(link.from, link.to, rest, link.side);
  return skin.geometry();
}

function coreOf(shape: Shape): Core {
  const { joint, side } = shape;
  if (shape.kind === "capsule") {
    const a = new THREE.Vector3(...shape.a);
    const b = new THREE.Vector3(...shape.b);
    return { joint, side, a, b, radiusA: shape.radius, radiusB: shape.radius_b ?? shape.radius };
  }
  const center = new THREE.Vector3(...shape.center);
  const radius = shape.kind === "sphere" ? shape.radius : Math.min(...shape.half_extents);
  return { joint, side, a: center, b: center, radiusA: radius, radiusB: radius };
}

function endOf(core: Core, share: number): End {
  return {
    joint: core.joint,
    point: core.a.clone().lerp(core.b, share),
    radius: core.radiusA + (core.radiusB - core.radiusA) * share,
  };
}

/** Joint transforms of the first frame: links are cut to length there. */
function restFrames(motion: Motion): THREE.Matrix4[] {
  const pose = newPose(motion);
  samplePose(motion, 0, pose);
  return Array.from({ length: motion.joints }, (_, joint) => new THREE.Matrix4().fromArray(pose, joint * 16));
}

interface Link {
  readonly from: End;
  readonly to: End;
  readonly side: Side;
}

function linksOf(motion: Motion, cores: readonly Core[], rest: readonly THREE.Matrix4[]): Link[] {
  const links: Link[] = [];
  for (let joint = 0; joint < motion.joints; joint++) {
    const own = cores.filter((core) => core.joint === joint);
    const above = coresAbove(motion, cores, joint);
    if (own.length === 0 || above.length === 0) continue;
    const origin = new THREE.Vector3().setFromMatrixPosition(rest[joint]);
    const from = nearestEnd(above, origin, rest);
    const to = nearestEnd(own, worldPoint(from.end, rest), rest);
    const gap = worldPoint(from.end, rest).distanceTo(worldPoint(to.end, rest));
    if (gap < 0.5 * Math.max(from.end.radius, to.end.radius)) continue;
    const [radiusFrom, radiusTo] = linkRadii(motion, from, to, joint);
    links.push({
      from: { ...from.end, radius: radiusFrom },
      to: { ...to.end, radius: radiusTo },
      // Shoulders and hips belong to the trunk.
      side: from.core.side,
    });
  }
  return links;
}

interface Near {
  readonly core: Core;
  readonly end: End;
}

function linkRadii(motion: Motion, from: Near, to: Near, joint: number): [number, number] {
  const a = from.end.radius;
  const b = to.end.radius;
  if (from.core.side !== "center") return [a, b];
  if (to.core.side !== "center") return [Math.min(a, b * 1.35), b * INSIDE];
  const isHead = !motion.parents.includes(joint);
  return isHead ? [Math.min(a, b) * NECK_SHARE, Math.min(a, b) * NECK_SHARE] : [a, b];
}

/** Shapes of the closest ancestor that has any. */
function coresAbove(motion: Motion, cores: readonly Core[], joint: number): Core[] {
  for (let p = motion.parents[joint]; p >= 0 && p < joint; p = motion.parents[p]) {
    const found = cores.filter((core) => core.joint === p);
    if (found.length > 0) return found;
  }
  return [];
}

function nearestEnd(cores: readonly Core[], world: THREE.Vector3, rest: readonly THREE.Matrix4[]): Near {
  let best: Near | null = null;
  let shortest = Infinity;
  for (const core of cores) {
    const local = world.clone().applyMatrix4(rest[core.joint].clone().invert());
    const line = new THREE.Line3(core.a, core.b);
    const share = core.a.equals(core.b) ? 0 : line.closestPointToPointParameter(local, true);
    const end = endOf(core, share);
    const distance = end.point.distanceTo(local);
    if (distance < shortest) {
      shortest = distance;
      best = { core, end };
    }
  }
  if (best === null) throw new RangeError("nearestEnd needs at least one shape");
  return best;
}

function worldPoint(end: End, rest: readonly THREE.Matrix4[]): THREE.Vector3 {
  return end.point.clone().applyMatrix4(rest[end.joint]);
}

/** Collects vertices. */
class Skin {
  private readonly positions: number[] = [];
  private readonly normals: number[] = [];
  private readonly colors: number[] = [];
  private readonly joints: number[] = [];
  private readonly indices: number[] = [];

  private readonly shades: Readonly<Record<Side, THREE.Color>>;

  constructor(color: THREE.Color) {
    this.shades = { left: shadeOf(color, "left"), right: shadeOf(color, "right"), center: color };
  }

  addBox(shape: Extract<Shape, { kind: "box" }>): void {
    const [x, y, z] = shape.half_extents;
    const radius = Math.min(x, y, z) * 0.6;
    const box = new RoundedBoxGeometry(2 * x, 2 * y, 2 * z, 2, radius);
    const [w, i, j, k] = shape.rotation_wxyz;
    box.applyQuaternion(new THREE.Quaternion(i, j, k, w)).translate(...(shape.center as [number, number, number]));
    const position = box.getAttribute("position");
    const normal = box.getAttribute("normal");
    const first = this.positions.length / 3;
    const point = new THREE.Vector3();
    const direction = new THREE.Vector3();
    for (let v = 0; v < position.count; v++) {
      point.fromBufferAttribute(position, v);
      direction.fromBufferAttribute(normal, v);
      this.addVertex(shape.joint, point, direction, shape.side);
      if (box.index === null) this.indices.push(first + v);
    }
    if (box.index !== null) for (const index of box.index.array) this.indices.push(first + index);
    box.dispose();
  }

  /** Both ends in the same joint's frame. */
  addCapsule(from: End, to: End, side: Side): void {
    this.revolve(from, to, side, (point, direction, atTo) => {
      this.addVertex(atTo ? to.joint : from.joint, point, direction, side);
    });
  }

  /** Ends in two joints' frames: laid out in the world at rest, then taken into each end's frame. */
  addLink(from: End, to: End, rest: readonly THREE.Matrix4[], side: Side): void {
    const inverse = (joint: number) => rest[joint].clone().invert();
    const [toFrom, toTo] = [inverse(from.joint), inverse(to.joint)];
    const worldFrom = { ...from, point: worldPoint(from, rest) };
    const worldTo = { ...to, point: worldPoint(to, rest) };
    this.revolve(worldFrom, worldTo, side, (point, direction, atTo) => {
      const matrix = atTo ? toTo : toFrom;
      this.addVertex(
        atTo ? to.joint : from.joint,
        point.applyMatrix4(matrix),
        direction.transformDirection(matrix),
        side,
      );
    });
  }

  geometry(): THREE.BufferGeometry {
    const geometry = new THREE.BufferGeometry();
    const count = this.joints.length;
    const skinIndex = new Uint16Array(count * 4);
    const skinWeight = new Float32Array(count * 4);
    for (let v = 0; v < count; v++) {
      skinIndex[v * 4] = this.joints[v];
      skinWeight[v * 4] = 1;
    }
    geometry.setAttribute("position", new THREE.Float32BufferAttribute(this.positions, 3));
    geometry.setAttribute("normal", new THREE.Float32BufferAttribute(this.normals, 3));
    geometry.setAttribute("color", new THREE.Float32BufferAttribute(this.colors, 3));
    geometry.setAttribute("skinIndex", new THREE.BufferAttribute(skinIndex, 4));
    geometry.setAttribute("skinWeight", new THREE.BufferAttribute(skinWeight, 4));
    geometry.setIndex(this.indices);
    return geometry;
  }

  /** Hull of two spheres: rings from the pole behind `from` to the pole beyond `to`. */
  private revolve(
    from: End,
    to: End,
    side: Side,
    add: (point: THREE.Vector3, direction: THREE.Vector3, atTo: boolean, side: Side) => void,
  ): void {
    const axis = to.point.clone().sub(from.point);
    const length = axis.length();
    if (length < 1e-6) axis.set(0, 1, 0);
    axis.normalize();
    const across = new THREE.Vector3(...perpendicular(axis.toArray()));
    const third = axis.clone().cross(across);
    // The cone touches both spheres where the normal leans by this angle.
    const lean = length > 1e-6 ? Math.asin(Math.min(Math.max((from.radius - to.radius) / length, -1), 1)) : 0;
    const first = this.positions.length / 3;
    const rings: [number, boolean][] = [];
    for (let r = 0; r <= CAP_RINGS; r++) rings.push([-Math.PI / 2 + ((lean + Math.PI / 2) * r) / CAP_RINGS, false]);
    for (let r = 0; r <= CAP_RINGS; r++) rings.push([lean + ((Math.PI / 2 - lean) * r) / CAP_RINGS, true]);
    for (const [angle, atTo] of rings) {
      const end = atTo ? to : from;
      for (let s = 0; s <= RADIAL_SEGMENTS; s++) {
        const turn = (2 * Math.PI * s) / RADIAL_SEGMENTS;
        const direction = across
          .clone()
          .multiplyScalar(Math.cos(turn))
          .addScaledVector(third, Math.sin(turn))
          .multiplyScalar(Math.cos(angle))
          .addScaledVector(axis, Math.sin(angle));
        add(end.point.clone().addScaledVector(direction, end.radius), direction, atTo, side);
      }
    }
    const width = RADIAL_SEGMENTS + 1;
    for (let r = 0; r + 1 < rings.length; r++) {
      for (let s = 0; s < RADIAL_SEGMENTS; s++) {
        const at = first + r * width + s;
        this.indices.push(at, at + 1, at + width, at + 1, at + width + 1, at + width);
      }
    }
  }

  private addVertex(joint: number, point: THREE.Vector3, direction: THREE.Vector3, side: Side): void {
    const shade = this.shades[side];
    this.positions.push(point.x, point.y, point.z);
    this.normals.push(direction.x, direction.y, direction.z);
    this.colors.push(shade.r, shade.g, shade.b);
    this.joints.push(joint);
  }
}

function perpendicular([x, y, z]: Vec3): [number, number, number] {
  const other = Math.abs(y) < 0.9 ? [0, 1, 0] : [1, 0, 0];
  const cross = new THREE.Vector3(x, y, z).cross(new THREE.Vector3(...(other as [number, number, number])));
  return cross.normalize().toArray();
}
