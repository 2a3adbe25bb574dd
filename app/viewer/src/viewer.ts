/** The viewer: panes on one canvas, one clock, one camera; draws only when something changed and can be seen. */

import * as THREE from "three";

import { AxesHint } from "./axes";
import { SharedCamera } from "./camera";
import { Clock } from "./clock";
import { Controls, type Toggle } from "./controls";
import { element, setText } from "./dom";
import { listenForKeys } from "./keys";
import { durationOf, type Motion } from "./motion";
import { eyeFor, Pane } from "./pane";
import { Sharpness } from "./sharpness";
import { parseSpec, type Spec } from "./spec";
import { STAGE_COLORS } from "./stage";
import { MotionStore } from "./store";
import type { StripBand } from "./rows";
import { Strip } from "./strip";
import { injectStyle } from "./style";
import { type Theme, ThemeWatch } from "./theme";

export interface Viewer {
  /** Show a spec: an object, its JSON, or null for the empty state. Never throws. */
  show(spec: unknown): void;
  destroy(): void;
}

const NARROWEST_PANE_PX = 250;
const PANE_ASPECT = 1.12;
const LEAST_VIEW_PX = 220;
const MOST_VIEW_PX = 480;
const FRAME_EVENT_EVERY_MS = 100;
const FOLLOW_SECONDS = 0.25;
const LOST_CONTEXT = "The graphics card was reset. The view comes back by itself, or when the page is loaded again.";
const STILL_AFTER_MS = 180;

export class MotionViewer implements Viewer {
  private readonly root = element("div", "lsv-root");
  private readonly message = element("div", "lsv-message");
  private readonly body = element("div", "lsv-body");
  private readonly area = element("div", "lsv-panes");
  private readonly grid = element("div", "lsv-grid");
  private readonly hint = element("div", "lsv-hint", "Click into a pane, then scroll to zoom");
  private readonly axes = new AxesHint();
  private readonly clock = new Clock();
  private readonly store = new MotionStore();
  private readonly shared: SharedCamera;
  private readonly eye = new THREE.PerspectiveCamera();
  private readonly controls: Controls;
  private readonly strip: Strip;
  private readonly theme: ThemeWatch;
  private readonly undo: (() => void)[] = [];
  private readonly toggles = { ghost: false, trails: false, follow: false };
  private panes: Pane[] = [];
  private firstShow = true;
  private startFrame: number | null = null;
  private framed = false;
  private followed = 0;
  private onScreen = true;
  private requested = 0;
  private lastTick = 0;
  private lastFrameEvent = { frame: -1, at: 0, playing: false };
  private readonly sharpness: Sharpness;
  private stillTimer = 0;
  private hintTimer = 0;

  constructor(
    private readonly container: HTMLElement,
    private readonly renderer: THREE.WebGLRenderer,
    isSoftware: boolean,
  ) {
    this.sharpness = new Sharpness(isSoftware);
    injectStyle();
    renderer.shadowMap.enabled = true;
    renderer.shadowMap.type = THREE.PCFShadowMap;
    renderer.setScissorTest(true);
    renderer.domElement.classList.add("lsv-canvas");
    renderer.domElement.setAttribute("aria-hidden", "true");
    this.clock.playing = !window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.theme = new ThemeWatch((theme) => this.paint(theme));
    this.strip = new Strip((time) => this.act(() => this.clock.seek(time)));
    this.controls = new Controls({
      play: () => this.act(() => this.clock.toggle()),
      seekFrame: (frame) => this.act(() => this.clock.seekFrame(frame)),
      speed: (speed) => this.act(() => (this.clock.speed = speed)),
      toggle: (name) => this.toggle(name),
      resetCamera: () => this.frameAll(),
      help: () => this.controls.toggleHelp(),
    });
    this.area.append(renderer.domElement, this.grid, this.axes.root, this.hint);
    this.body.append(this.area, this.controls.root, this.controls.help, this.controls.scrubRow, this.strip.root);
    this.root.append(this.message, this.body);
    this.root.tabIndex = 0;
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", "Motions in 3-D. Press ? for the keys.");
    container.append(this.root);
    // Before the camera's listeners, so that a page can be scrolled past the viewer.
    this.listen(this.area, "wheel", (event) => this.guardWheel(event as WheelEvent), { capture: true, passive: true });
    this.listen(this.root, "click", (event) => this.takeFocus(event as MouseEvent));
    this.shared = new SharedCamera(this.grid, () => this.invalidate(), () => this.emitCamera());
    this.watch();
    this.showMessage(parseSpec(null));
    this.paint(this.theme.theme);
    this.showState();
  }

  show(input: unknown): void {
    const spec = parseSpec(input);
    this.theme.want(spec.theme);
    this.root.toggleAttribute("data-forced", this.theme.isForced);
    this.showMessage(spec);
    this.arrange(spec);
    if (this.firstShow && spec.panes.length > 0) {
      this.firstShow = false;
      this.startFrame = spec.frame;
      // A link to a moment shows that moment.
      if (spec.frame !== null && spec.frame > 0) this.clock.playing = false;
      if (spec.camera !== null) {
        this.shared.restore(spec.camera);
        this.framed = true;
      }
    }
    const loads = this.panes.map((pane, i) => pane.show(spec.panes[i]));
    this.onMotions();
    void Promise.all(loads).then(() => {
      this.onMotions();
      this.framed ||= this.panes.some((pane) => pane.motion !== null);
      this.store.prefetch(spec.prefetch);
    });
  }

  destroy(): void {
    cancelAnimationFrame(this.requested);
    clearTimeout(this.hintTimer);
    clearTimeout(this.stillTimer);
    for (const stop of this.undo) stop();
    for (const pane of this.panes) pane.dispose();
    this.panes = [];
    this.theme.dispose();
    this.shared.dispose();
    this.store.close();
    this.renderer.dispose();
    this.root.remove();
  }

  /** Panes are kept by id, so that what they show stays until it is replaced. */
  private arrange(spec: Spec): void {
    const old = [...this.panes];
    this.panes = spec.panes.map((paneSpec) => {
      const index = old.findIndex((pane) => pane.spec.id === paneSpec.id);
      if (index >= 0) return old.splice(index, 1)[0];
      const pane = new Pane(paneSpec, this.store, () => this.onMotions());
      pane.stage.paint(STAGE_COLORS[this.theme.theme]);
      return pane;
    });
    for (const pane of old) pane.dispose();
    const shown = [...this.grid.children];
    if (shown.length !== this.panes.length || this.panes.some((pane, i) => pane.root !== shown[i])) {
      this.grid.replaceChildren(...this.panes.map((pane) => pane.root));
    }
    this.layout();
  }

  /** Some motion arrived, changed or went. */
  private onMotions(): void {
    const motions = this.panes.map((pane) => pane.motion).filter((motion) => motion !== null);
    if (motions.length > 0) {
      const fps = Math.max(...motions.map((motion) => motion.fps));
      this.clock.fit(Math.max(...motions.map(durationOf)), fps);
      if (this.startFrame !== null) this.clock.seekFrame(this.startFrame);
      this.startFrame = null;
      if (this.wantsFraming(motions)) this.frameAll();
    }
    const bands = this.panes
      .filter((pane): pane is Pane & { motion: Motion } => pane.motion !== null)
      .map(({ spec, motion }): StripBand => ({ title: spec.title, color: spec.color, motion }));
    this.strip.setBands(bands, this.clock.duration);
    this.showState();
    this.invalidate();
  }

  /** The camera stays where a person put it; where nobody did, it must not lose the figures. */
  private wantsFraming(motions: readonly Motion[]): boolean {
    if (this.shared.touched) return false;
    return !this.framed || (!this.toggles.follow && !this.shared.holds(motions, this.aspect));
  }

  private frameAll(): void {
    this.shared.frame(
      this.panes.flatMap((pane) => pane.motions),
      this.aspect,
    );
    this.invalidate();
  }

  private get aspect(): number {
    const view = this.panes[0]?.view;
    return view && view.clientHeight > 0 ? view.clientWidth / view.clientHeight : PANE_ASPECT;
  }

  private toggle(name: Toggle): void {
    if (name === "loop") this.clock.loop = !this.clock.loop;
    else this.toggles[name] = !this.toggles[name];
    this.showState();
    this.invalidate();
  }

  private act(change: () => void): void {
    change();
    this.showState();
    this.invalidate();
  }

  private showState(): void {
    this.controls.showClock(this.clock);
    this.controls.showSpeed(this.clock.speed);
    this.controls.showToggle("loop", this.clock.loop);
    this.controls.showToggle("ghost", this.toggles.ghost, this.panes.some((pane) => pane.hasGhost));
    this.controls.showToggle("trails", this.toggles.trails);
    this.controls.showToggle("follow", this.toggles.follow);
    this.strip.setTime(this.clock.time);
  }

  private showMessage(spec: Spec): void {
    const isEmpty = spec.panes.length === 0;
    setText(this.message, isEmpty ? spec.message : null);
    this.body.hidden = isEmpty;
  }

  private paint(theme: Theme): void {
    this.root.dataset.theme = theme;
    for (const pane of this.panes) pane.stage.paint(STAGE_COLORS[theme]);
    this.strip.setTheme(theme);
    this.invalidate();
  }

  private layout(): void {
    const width = this.root.clientWidth;
    const count = this.panes.length;
    if (width === 0 || count === 0) return;
    const columns = [count, 2, 1].find((n) => n <= count && width / n >= NARROWEST_PANE_PX) ?? 1;
    const paneWidth = (width - 12 * (columns - 1)) / columns;
    const height = Math.round(Math.min(Math.max(paneWidth / PANE_ASPECT, LEAST_VIEW_PX), MOST_VIEW_PX));
    this.grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.panes.forEach((pane, i) => {
      pane.view.style.height = `${height}px`;
      // A last pane alone in its row takes the whole row.
      const alone = i === count - 1 && count % columns === 1 && columns > 1;
      pane.root.style.gridColumn = alone ? "1 / -1" : "";
    });
    this.resizeCanvas(this.sharpness.moving);
    // A canvas is empty after its size changed: an empty frame would be seen as a flicker.
    this.draw();
    this.sharpenSoon();
    this.strip.resize(width);
    this.strip.setTime(this.clock.time);
  }

  private resizeCanvas(pixelRatio: number): void {
    const { clientWidth, clientHeight } = this.grid;
    this.renderer.setPixelRatio(pixelRatio);
    this.renderer.setSize(clientWidth, clientHeight);
    this.renderer.setViewport(0, 0, clientWidth, clientHeight);
    this.renderer.setScissor(0, 0, clientWidth, clientHeight);
    this.renderer.setClearColor(0x000000, 0);
    this.renderer.clear();
  }

  private watch(): void {
    const resize = new ResizeObserver(() => this.layout());
    resize.observe(this.root);
    const sight = new IntersectionObserver((entries) => {
      this.onScreen = entries[entries.length - 1].isIntersecting;
      if (this.onScreen) this.invalidate();
    });
    sight.observe(this.root);
    this.undo.push(() => resize.disconnect(), () => sight.disconnect());
    this.listen(document, "visibilitychange", () => this.invalidate());
    const canvas = this.renderer.domElement;
    this.listen(canvas, "webglcontextlost", () => setText(this.message, LOST_CONTEXT));
    this.listen(canvas, "webglcontextrestored", () => {
      setText(this.message, null);
      this.invalidate();
    });
    this.undo.push(
      listenForKeys(this.root, {
        play: () => this.act(() => this.clock.toggle()),
        step: (frames) => this.act(() => this.clock.step(frames)),
        ghost: () => this.toggle("ghost"),
        trails: () => this.toggle("trails"),
        follow: () => this.toggle("follow"),
        resetCamera: () => this.frameAll(),
        help: () => this.controls.toggleHelp(),
        generation: (step) => this.emit("loopscope:generation", step),
      }),
    );
  }

  /** Ask for one drawing, if anyone can see it. */
  private invalidate(): void {
    if (this.requested !== 0 || !this.onScreen || document.hidden) return;
    this.requested = requestAnimationFrame((now) => this.tick(now));
  }

  private tick(now: number): void {
    this.requested = 0;
    if (this.root.clientWidth === 0 || this.panes.length === 0) {
      this.lastTick = 0;
      return;
    }
    // After a pause there is no elapsed time; after a hitch not more than a quarter of a second.
    const dt = this.lastTick === 0 ? 0 : Math.min((now - this.lastTick) / 1000, 0.25);
    this.clock.advance(dt);
    const wanted = this.toggles.follow ? 1 : 0;
    const stepOfFollow = dt === 0 ? 1 : dt / FOLLOW_SECONDS;
    this.followed += Math.max(Math.min(wanted - this.followed, stepOfFollow), -stepOfFollow);
    if (this.renderer.getPixelRatio() !== this.sharpness.moving) this.resizeCanvas(this.sharpness.moving);
    this.draw();
    this.controls.showClock(this.clock);
    this.strip.setTime(this.clock.time);
    this.emitFrame(now);
    const moving = (this.clock.playing && this.clock.duration > 0) || this.followed !== wanted;
    if (moving && this.lastTick > 0) this.sharpness.judge(now - this.lastTick);
    this.lastTick = moving ? now : 0;
    if (moving) this.invalidate();
    else this.sharpenSoon();
  }

  /** A picture that stays is worth a finer drawing. */
  private sharpenSoon(): void {
    clearTimeout(this.stillTimer);
    if (this.clock.playing || this.sharpness.still <= this.sharpness.moving) return;
    this.stillTimer = window.setTimeout(() => {
      if (this.requested !== 0 || this.panes.length === 0 || this.root.clientWidth === 0) return;
      this.resizeCanvas(this.sharpness.still);
      this.draw();
    }, STILL_AFTER_MS);
  }

  private draw(): void {
    const { camera } = this.shared;
    const origin = this.grid.getBoundingClientRect();
    const distance = this.shared.distance;
    for (const pane of this.panes) {
      const box = pane.view.getBoundingClientRect();
      const left = box.left - origin.left;
      const bottom = origin.bottom - box.bottom;
      camera.aspect = box.width / box.height;
      camera.updateProjectionMatrix();
      pane.update(this.clock.time, this.toggles);
      const [x, y, z] = pane.rootPosition;
      const target = this.shared.target;
      eyeFor(camera, this.eye, (x - target.x) * this.followed, (z - target.z) * this.followed);
      pane.stage.follow(x, y, z, distance);
      this.renderer.setViewport(left, bottom, box.width, box.height);
      this.renderer.setScissor(left, bottom, box.width, box.height);
      this.renderer.render(pane.stage.scene, this.eye);
    }
    this.axes.turn(this.eye);
  }

  private guardWheel(event: WheelEvent): void {
    if (this.root.contains(document.activeElement) || event.ctrlKey || event.metaKey) return;
    event.stopPropagation();
    this.hint.classList.add("lsv-on");
    clearTimeout(this.hintTimer);
    this.hintTimer = window.setTimeout(() => this.hint.classList.remove("lsv-on"), 1400);
  }

  /** After a click with the pointer the keys belong to the viewer, not to the button that was pressed. */
  private takeFocus(event: MouseEvent): void {
    if (event.detail > 0) this.root.focus({ preventScroll: true });
  }

  private emitFrame(now: number): void {
    const { frame } = this.clock;
    const { frame: last, at, playing: played } = this.lastFrameEvent;
    const playing = this.clock.playing;
    if ((frame === last && playing === played) || (playing && played && now - at < FRAME_EVENT_EVERY_MS)) return;
    this.lastFrameEvent = { frame, at: now, playing };
    this.emit("loopscope:frame", { frame, time: this.clock.time, playing });
  }

  private emitCamera(): void {
    this.emit("loopscope:camera", this.shared.state);
  }

  private emit(name: string, detail: unknown): void {
    this.root.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, detail }));
  }

  private listen(
    target: EventTarget,
    name: string,
    listener: (event: Event) => void,
    options?: AddEventListenerOptions,
  ): void {
    target.addEventListener(name, listener, options);
    this.undo.push(() => target.removeEventListener(name, listener, options));
  }

  get isMounted(): boolean {
    return this.container.contains(this.root);
  }
}
