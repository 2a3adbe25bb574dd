/** Marks on the floor: a disc under each foot in contact, a streak as long as the slide. */

import * as THREE from "three";

import { ALARM_COLOR, ORDER } from "./figure";
import type { Motion } from "./motion";
import { frameAt } from "./pose";
import { footTracks, type Slide, slidesOf } from "./slides";

const DISC_RADIUS_M = 0.11;
const STREAK_HALF_WIDTH_M = 0.028;
const STREAK_SECONDS = 1.2;
const DISC_HEIGHT_M = 0.004;
const STREAK_HEIGHT_M = 0.006;

export class FloorMarks {
  readonly group = new THREE.Group();
  private readonly discs: THREE.Group[];
  private readonly tracks: Float32Array;
  private readonly streaks: THREE.Mesh<THREE.BufferGeometry, THREE.ShaderMaterial>;
  private now = 0;
  private readonly owned: { dispose(): void }[] = [];

  constructor(
    private readonly motion: Motion,
    color: string,
  ) {
    this.tracks = footTracks(motion);
    const fill = new THREE.CircleGeometry(DISC_RADIUS_M, 40).rotateX(-Math.PI / 2);
    const rim = new THREE.RingGeometry(DISC_RADIUS_M * 0.86, DISC_RADIUS_M, 48).rotateX(-Math.PI / 2);
    const fillPaint = flatPaint(color, 0.22);
    const rimPaint = flatPaint(color, 0.95);
    this.owned.push(fill, rim);
    this.discs = motion.feet.map(() => {
      const disc = new THREE.Group();
      disc.add(new THREE.Mesh(fill, fillPaint), new THREE.Mesh(rim, rimPaint));
      for (const part of disc.children) part.renderOrder = ORDER.mark;
      this.group.add(disc);
      return disc;
    });
    this.streaks = new THREE.Mesh(streakGeometry(slidesOf(motion, this.tracks)), streakPaint());
    this.streaks.onBeforeRender = (_renderer, _scene, _camera, _geometry, material) => {
      const { uniforms } = material as THREE.ShaderMaterial;
      uniforms.now.value = this.now;
      uniforms.life.value = STREAK_SECONDS * motion.fps;
      (material as THREE.ShaderMaterial).uniformsNeedUpdate = true;
    };
    this.streaks.renderOrder = ORDER.mark + 0.5;
    this.streaks.frustumCulled = false;
    this.owned.push(this.streaks.geometry);
    this.group.add(this.streaks);
  }

  update(time: number): void {
    const { frame, share } = frameAt(this.motion, time);
    const next = Math.min(frame + 1, this.motion.frames - 1);
    const feet = this.motion.feet.length;
    this.discs.forEach((disc, foot) => {
      disc.visible = this.motion.contact[frame * feet + foot] > 0;
      const now = (frame * feet + foot) * 2;
      const then = (next * feet + foot) * 2;
      const at = (c: number) => this.tracks[now + c] + (this.tracks[then + c] - this.tracks[now + c]) * share;
      disc.position.set(at(0), DISC_HEIGHT_M, at(1));
    });
    this.now = frame + share;
  }

  dispose(): void {
    for (const thing of this.owned) thing.dispose();
  }
}

const flatPaints = new Map<string, THREE.MeshBasicMaterial>();
let streaksPaint: THREE.ShaderMaterial | null = null;

/** One for each colour and opacity, kept for the same reason as a figure's. */
function flatPaint(color: string, opacity: number): THREE.MeshBasicMaterial {
  const name = `${color} ${opacity}`;
  const made =
    flatPaints.get(name) ?? new THREE.MeshBasicMaterial({ color, transparent: true, opacity, depthWrite: false });
  flatPaints.set(name, made);
  return made;
}

/** One strip of quads for all slides; each vertex knows its frame, so that streaks grow with time. */
function streakGeometry(slides: readonly Slide[]): THREE.BufferGeometry {
  const positions: number[] = [];
  const frames: number[] = [];
  const across: number[] = [];
  const indices: number[] = [];
  for (const { points } of slides) {
    points.forEach((point, i) => {
      const before = points[Math.max(i - 1, 0)];
      const after = points[Math.min(i + 1, points.length - 1)];
      const length = Math.hypot(after.x - before.x, after.z - before.z) || 1;
      const nx = (-(after.z - before.z) / length) * STREAK_HALF_WIDTH_M;
      const nz = ((after.x - before.x) / length) * STREAK_HALF_WIDTH_M;
      const first = positions.length / 3;
      positions.push(point.x + nx, STREAK_HEIGHT_M, point.z + nz, point.x - nx, STREAK_HEIGHT_M, point.z - nz);
      frames.push(point.frame, point.frame);
      across.push(1, -1);
      if (i + 1 < points.length) indices.push(first, first + 1, first + 2, first + 1, first + 3, first + 2);
    });
  }
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.Float32BufferAttribute(positions, 3));
  geometry.setAttribute("frame", new THREE.Float32BufferAttribute(frames, 1));
  geometry.setAttribute("across", new THREE.Float32BufferAttribute(across, 1));
  geometry.setIndex(indices);
  return geometry;
}

/** One for all: each pane sets its own moment before it draws. */
function streakPaint(): THREE.ShaderMaterial {
  streaksPaint ??= new THREE.ShaderMaterial({
    transparent: true,
    depthWrite: false,
    side: THREE.DoubleSide,
    uniforms: {
      now: { value: 0 },
      life: { value: 1 },
      paint: { value: new THREE.Color(ALARM_COLOR) },
    },
    vertexShader: `
      attribute float frame;
      attribute float across;
      varying float vFrame;
      varying float vAcross;
      void main() {
        vFrame = frame;
        vAcross = across;
        gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
      }`,
    fragmentShader: `
      uniform float now;
      uniform float life;
      uniform vec3 paint;
      varying float vFrame;
      varying float vAcross;
      void main() {
        if (vFrame > now + 0.01) discard;
        float age = clamp((now - vFrame) / life, 0.0, 1.0);
        float edge = 1.0 - smoothstep(0.7, 1.0, abs(vAcross));
        gl_FragColor = vec4(paint, (1.0 - age) * mix(0.5, 0.95, edge));
        #include <colorspace_fragment>
      }`,
  });
  return streaksPaint;
}
