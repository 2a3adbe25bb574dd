/** The one camera of all panes: orbit, zoom and pan in any of them, framing of the motions. */

import * as THREE from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";

import type { Motion } from "./motion";

const FIELD_OF_VIEW_DEG = 32;
/** Seen from the front left: both sides of the body show and a walk crosses the picture. */
const AZIMUTH_FROM_FRONT = 0.75;
const ELEVATION = 0.22;
const MARGIN = 1.06;
/** Joints are centres; the body reaches this far around them. */
const FLESH_M = 0.16;

export class SharedCamera {
  readonly camera = new THREE.PerspectiveCamera(FIELD_OF_VIEW_DEG, 1, 0.05, 120);
  /** True from the first time that a person moved it. */
  touched = false;
  private readonly controls: OrbitControls;

  constructor(element: HTMLElement, onChange: () => void, onSettled: () => void) {
    this.controls = new OrbitControls(this.camera, element);
    this.controls.maxPolarAngle = Math.PI * 0.492;
    this.controls.minDistance = 0.8;
    this.controls.maxDistance = 30;
    this.controls.zoomSpeed = 0.8;
    this.place(new THREE.Vector3(3, 1.8, 4), new THREE.Vector3(0, 0.9, 0));
    let held: string | null = null; // the view when a person took hold of it
    this.controls.addEventListener("start", () => {
      held = String(this.state);
    });
    this.controls.addEventListener("change", () => {
      // A click without a drag moves nothing, and shall not stop later motions from being framed.
      if (held !== null && String(this.state) !== held) this.touched = true;
      onChange();
    });
    this.controls.addEventListener("end", () => {
      if (held !== null && String(this.state) !== held) onSettled();
      held = null;
    });
  }

  get target(): THREE.Vector3 {
    return this.controls.target;
  }

  get distance(): number {
    return this.camera.position.distanceTo(this.controls.target);
  }

  /** Position and target, for a permalink. */
  get state(): number[] {
    return [...this.camera.position.toArray(), ...this.target.toArray()].map((v) => Math.round(v * 1000) / 1000);
  }

  restore(state: readonly number[]): void {
    const [x, y, z, u, v, w] = state;
    this.place(new THREE.Vector3(x, y, z), new THREE.Vector3(u, v, w));
    this.touched = true;
  }

  /** Bring every frame of every motion into a picture of this aspect. */
  frame(motions: readonly Motion[], aspect: number): void {
    if (motions.length === 0) return;
    const azimuth = facingOf(motions[0]) + AZIMUTH_FROM_FRONT;
    const back = new THREE.Vector3(
      Math.sin(azimuth) * Math.cos(ELEVATION),
      Math.sin(ELEVATION),
      Math.cos(azimuth) * Math.cos(ELEVATION),
    );
    const { target, distance } = fit(motions, back, aspect);
    this.place(target.clone().addScaledVector(back, distance), target);
    this.touched = false;
  }

  /** Whether every joint of every frame is inside a picture of this aspect. */
  holds(motions: readonly Motion[], aspect: number): boolean {
    this.camera.aspect = aspect;
    this.camera.updateProjectionMatrix();
    this.camera.updateMatrixWorld();
    const point = new THREE.Vector3();
    return motions.every(({ positions }) => {
      for (let i = 0; i < positions.length; i += 3) {
        point.set(positions[i], positions[i + 1], positions[i + 2]).project(this.camera);
        if (Math.abs(point.x) > 1 || Math.abs(point.y) > 1) return false;
      }
      return true;
    });
  }

  dispose(): void {
    this.controls.dispose();
  }

  private place(position: THREE.Vector3, target: THREE.Vector3): void {
    this.camera.position.copy(position);
    this.controls.target.copy(target);
    this.controls.update();
  }
}

/** The closest view along `back` that holds all joints of all frames, and the point in its middle. */
function fit(
  motions: readonly Motion[],
  back: THREE.Vector3,
  aspect: number,
): { target: THREE.Vector3; distance: number } {
  const right = new THREE.Vector3(0, 1, 0).cross(back).normalize();
  const up = back.clone().cross(right);
  const box = new THREE.Box3();
  const point = new THREE.Vector3();
  for (const { positions } of motions) {
    for (let i = 0; i < positions.length; i += 3) {
      // A broken sample may fly away: what it does beyond this need not be in the picture.
      point.set(positions[i], positions[i + 1], positions[i + 2]).clampScalar(-12, 12);
      box.expandByPoint(point.set(point.dot(right), point.dot(up), point.dot(back)));
    }
  }
  box.expandByScalar(FLESH_M);
  const tanY = Math.tan(THREE.MathUtils.degToRad(FIELD_OF_VIEW_DEG) / 2) / MARGIN;
  const size = box.getSize(new THREE.Vector3());
  const middle = box.getCenter(new THREE.Vector3());
  const target = new THREE.Vector3()
    .addScaledVector(right, middle.x)
    .addScaledVector(up, middle.y)
    .addScaledVector(back, middle.z);
  // Half the depth only: whoever comes close is rarely at the edge of the picture at the same time.
  const distance = size.z / 4 + Math.max(size.y / 2 / tanY, size.x / 2 / (tanY * aspect));
  return { target, distance: Math.max(distance, 1.5) };
}

/** Heading (about y, 0 = +z) of the first frame, from the left and right parts of the body. */
function facingOf(motion: Motion): number {
  const left = new THREE.Vector3();
  for (const shape of motion.body) {
    if (shape.side === "center") continue;
    const at = shape.joint * 3;
    const sign = shape.side === "left" ? 1 : -1;
    left.add(new THREE.Vector3(...motion.positions.subarray(at, at + 3)).multiplyScalar(sign));
  }
  const front = left.setY(0).cross(new THREE.Vector3(0, 1, 0));
  return front.lengthSq() > 1e-8 ? Math.atan2(front.x, front.z) : 0;
}
