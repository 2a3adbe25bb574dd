/** One pane: heading, view and the figures in it. */

import * as THREE from "three";

import { bodyGeometry } from "./body";
import { element, setText } from "./dom";
import { type Figure, ORDER, solidFigure, translucentFigure } from "./figure";
import { FloorMarks } from "./marks";
import { durationOf, type Motion } from "./motion";
import { jointPosition, newPose, type Pose, samplePose } from "./pose";
import type { PaneSpec } from "./spec";
import { Stage } from "./stage";
import type { MotionStore } from "./store";

export interface Layers {
  readonly ghost: boolean;
  readonly trails: boolean;
}

const GHOST_OPACITY = 0.38;
/** Age in seconds and opacity of the trailing poses, oldest first. */
const TRAIL: readonly (readonly [number, number])[] = [
  [0.75, 0.08],
  [0.6, 0.12],
  [0.45, 0.17],
  [0.3, 0.23],
  [0.15, 0.3],
];
/** A motion that comes sooner than this needs no word. */
const LOADING_WORD_AFTER_MS = 350;

const STATUS_WORDS = { corrected: "corrected", unchanged: "left unchanged", rejected: "rejected" } as const;

/** A motion as it stands in the scene. */
interface Actor {
  readonly motion: Motion;
  readonly geometry: THREE.BufferGeometry;
  readonly figure: Figure;
  readonly pose: Pose;
}

export class Pane {
  readonly root = element("section", "lsv-pane");
  readonly view = element("div", "lsv-view");
  readonly stage = new Stage();
  spec: PaneSpec;
  motion: Motion | null = null;
  loading = false;
  private ghostMotion: Motion | null = null;
  private main: Actor | null = null;
  private ghost: Actor | null = null;
  private trail: Actor[] = [];
  private marks: FloorMarks | null = null;
  private asked = 0;

  private readonly swatch = element("span", "lsv-swatch");
  private readonly title = element("span", "lsv-title");
  private readonly status = element("span", "lsv-status");
  private readonly subtitle = element("div", "lsv-subtitle");
  private readonly sentence = element("div", "lsv-sentence");
  private readonly banner = element("div", "lsv-banner");
  private readonly note = element("div", "lsv-note");
  private readonly facts = element("div", "lsv-facts");

  constructor(
    spec: PaneSpec,
    private readonly store: MotionStore,
    private readonly onLoaded: () => void,
  ) {
    this.spec = spec;
    const head = element("div", "lsv-head");
    const line = element("div", "lsv-head-line");
    line.append(this.swatch, this.title, this.status);
    head.append(line, this.subtitle);
    this.sentence.setAttribute("role", "status");
    this.banner.setAttribute("role", "note");
    this.view.append(this.sentence, this.banner, this.note);
    this.root.append(head, this.view, this.facts);
    setText(this.sentence, null);
    this.writeWords();
  }

  /** Show what `spec` says; what is on the screen stays until its motion is here. */
  async show(spec: PaneSpec): Promise<void> {
    const request = ++this.asked;
    const sameMotion = this.motion !== null && spec.url === this.spec.url && spec.color === this.spec.color;
    const sameGhost =
      spec.ghost_url === this.spec.ghost_url &&
      spec.ghost_color === this.spec.ghost_color &&
      (spec.ghost_url === null || this.ghostMotion !== null);
    if (sameMotion && sameGhost) {
      this.spec = spec;
      this.loading = false;
      setText(this.sentence, null); // of another motion that was asked for in between
      this.writeWords();
      return;
    }
    if (spec.url === null) {
      this.fail(spec, spec.note ?? "There is no motion for this choice.");
      return;
    }
    const here = this.store.peek(spec.url);
    const ghostHere = spec.ghost_url === null ? null : this.store.peek(spec.ghost_url);
    if (here !== null && (spec.ghost_url === null || ghostHere !== null)) {
      this.apply(spec, here, ghostHere);
      return;
    }
    this.loading = true;
    const word = setTimeout(() => {
      if (request === this.asked) setText(this.sentence, "Loading the motion ...");
    }, LOADING_WORD_AFTER_MS);
    try {
      // Without its ghost a motion can still be looked at.
      const ghost = spec.ghost_url === null ? null : this.store.get(spec.ghost_url).catch(() => null);
      const motion = await this.store.get(spec.url);
      const ghostMotion = await ghost;
      if (request === this.asked) this.apply(spec, motion, ghostMotion);
    } catch (error) {
      if (request === this.asked) this.fail(spec, error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(word);
    }
  }

  get hasGhost(): boolean {
    return this.ghost !== null;
  }

  get motions(): Motion[] {
    return [this.motion, this.ghostMotion].filter((motion) => motion !== null);
  }

  /** Put figures and marks where they are at `time` seconds. */
  update(time: number, layers: Layers): void {
    if (this.main === null) return;
    poseActor(this.main, time);
    this.marks?.update(time);
    if (this.ghost !== null) {
      this.ghost.figure.group.visible = layers.ghost;
      if (layers.ghost) poseActor(this.ghost, time);
    }
    if (layers.trails && this.trail.length === 0) this.growTrail(this.main);
    this.trail.forEach((actor, i) => {
      const then = time - TRAIL[i][0];
      actor.figure.group.visible = layers.trails && then >= 0;
      if (actor.figure.group.visible) poseActor(actor, then);
    });
  }

  /** Where the root is, as last posed. */
  get rootPosition(): [number, number, number] {
    return this.main === null ? [0, 0.9, 0] : jointPosition(this.main.pose, 0);
  }

  dispose(): void {
    this.asked++;
    this.clear();
    this.stage.dispose();
    this.root.remove();
  }

  private apply(spec: PaneSpec, motion: Motion, ghostMotion: Motion | null): void {
    this.clear();
    this.spec = spec;
    this.motion = motion;
    this.ghostMotion = ghostMotion;
    const geometry = bodyGeometry(motion, spec.color);
    this.main = this.enter(motion, geometry, solidFigure(geometry, motion));
    this.marks = new FloorMarks(motion, spec.color);
    this.stage.scene.add(this.marks.group);
    if (ghostMotion !== null) {
      const skin = bodyGeometry(ghostMotion, spec.ghost_color);
      const figure = translucentFigure(skin, ghostMotion, GHOST_OPACITY, ORDER.ghost, true);
      this.ghost = this.enter(ghostMotion, skin, figure);
    }
    setText(this.sentence, null);
    this.loading = false;
    this.writeWords();
    this.onLoaded();
  }

  private fail(spec: PaneSpec, sentence: string): void {
    this.clear();
    this.spec = spec;
    this.loading = false;
    this.writeWords();
    setText(this.note, null);
    setText(this.sentence, sentence);
    this.onLoaded();
  }

  private growTrail({ motion, geometry }: Actor): void {
    this.trail = TRAIL.map(([, opacity], i) =>
      this.enter(motion, geometry, translucentFigure(geometry, motion, opacity, ORDER.trail + i * 0.15, false)),
    );
  }

  private enter(motion: Motion, geometry: THREE.BufferGeometry, figure: Figure): Actor {
    this.stage.scene.add(figure.group);
    return { motion, geometry, figure, pose: newPose(motion) };
  }

  private clear(): void {
    for (const actor of [this.main, this.ghost, ...this.trail]) {
      if (actor === null) continue;
      this.stage.scene.remove(actor.figure.group);
      actor.figure.dispose();
      actor.geometry.dispose();
    }
    if (this.marks !== null) {
      this.stage.scene.remove(this.marks.group);
      this.marks.dispose();
    }
    this.motion = this.ghostMotion = null;
    this.main = this.ghost = this.marks = null;
    this.trail = [];
  }

  private writeWords(): void {
    const { spec, motion } = this;
    this.swatch.style.background = spec.color;
    this.title.textContent = spec.title;
    this.root.setAttribute("aria-label", spec.subtitle ? `${spec.title}: ${spec.subtitle}` : spec.title);
    this.subtitle.textContent = spec.subtitle;
    this.subtitle.title = spec.subtitle;
    setText(this.facts, spec.facts);
    const status = motion?.status ?? null;
    setText(this.status, status === null ? null : STATUS_WORDS[status]);
    this.status.dataset.status = status ?? "";
    const reason = motion?.reason ?? "no reason was given";
    setText(this.banner, status === "rejected" ? `Rejected: ${reason}` : null);
    const broken = motion?.brokenFrames ?? 0;
    const frames = `${broken} ${broken === 1 ? "frame holds" : "frames hold"} no numbers and repeat the one before.`;
    setText(this.note, [spec.note, broken > 0 ? frames : null].filter((part) => part !== null).join(" "));
  }
}

function poseActor(actor: Actor, time: number): void {
  samplePose(actor.motion, Math.min(time, durationOf(actor.motion)), actor.pose);
  actor.figure.pose(actor.pose);
}

/** The scene as seen by a camera moved sideways by (x, z): following keeps each figure in its own centre. */
export function eyeFor(camera: THREE.PerspectiveCamera, eye: THREE.PerspectiveCamera, x: number, z: number): void {
  eye.copy(camera, false);
  eye.position.x += x;
  eye.position.z += z;
  eye.updateMatrixWorld();
}
