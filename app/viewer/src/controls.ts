/** The bar below the panes: it shows the state that it is given and reports what was pressed. */

import { type Clock, SPEEDS } from "./clock";
import { element, icon } from "./dom";

const PLAY = "M4 2.5v11l9.5-5.5z";
const PAUSE = "M3.5 2.5h3.2v11H3.5zM9.3 2.5h3.2v11H9.3z";

export type Toggle = "loop" | "ghost" | "trails" | "follow";

export interface ControlActions {
  play(): void;
  seekFrame(frame: number): void;
  speed(speed: number): void;
  toggle(name: Toggle): void;
  resetCamera(): void;
  help(): void;
}

const TOGGLES: readonly (readonly [Toggle, string, string])[] = [
  ["loop", "Loop", "Begin again at the end"],
  ["ghost", "Ghost", "The other version of the same sample, translucent (g)"],
  ["trails", "Trails", "Fading poses of the last moments (t)"],
  ["follow", "Follow", "Keep every figure in the middle of its pane (f)"],
];

const KEYS: readonly (readonly [string, string])[] = [
  ["space", "play or pause"],
  [", .", "one frame back or on"],
  ["← →", "previous or next generation"],
  ["g", "ghost"],
  ["t", "trails"],
  ["f", "follow the root"],
  ["r", "reset the camera"],
  ["?", "show or hide the keys"],
  ["drag", "turn; right button or two fingers: move"],
  ["wheel", "zoom, after a click into a pane (or with Ctrl)"],
];

export class Controls {
  readonly root = element("div", "lsv-controls");
  readonly help = element("div", "lsv-help");
  readonly scrubRow = element("div", "lsv-scrub");
  private readonly play = button("lsv-btn lsv-play", "Play or pause (space)");
  private readonly scrub = element("input", "lsv-range");
  private readonly readout = element("div", "lsv-readout");
  private readonly seconds = element("div", "lsv-seconds");
  private readonly speeds = new Map<number, HTMLButtonElement>();
  private readonly toggles = new Map<Toggle, HTMLButtonElement>();
  private readonly helpButton = button("lsv-btn", "Show the keys (?)", "Keys");
  private isPlaying: boolean | null = null;

  constructor(actions: ControlActions) {
    this.play.addEventListener("click", () => actions.play());
    this.scrub.type = "range";
    this.scrub.min = "0";
    // Any value, so that the thumb glides with the clock; a person lands on whole frames.
    this.scrub.step = "any";
    this.scrub.setAttribute("aria-label", "Frame");
    this.scrub.addEventListener("input", () => actions.seekFrame(Math.round(Number(this.scrub.value))));
    this.scrubRow.append(this.readout, this.scrub, this.seconds);

    const speedGroup = group("Speed");
    for (const speed of SPEEDS) {
      const label = `${String(speed).replace("0.", ".")}×`;
      const choice = button("lsv-btn lsv-seg", `Speed ${speed}`, label);
      choice.addEventListener("click", () => actions.speed(speed));
      this.speeds.set(speed, choice);
      speedGroup.append(choice);
    }
    const toggleGroup = element("div", "lsv-group");
    for (const [name, label, title] of TOGGLES) {
      const toggle = button("lsv-btn", title, label);
      toggle.addEventListener("click", () => actions.toggle(name));
      this.toggles.set(name, toggle);
      toggleGroup.append(toggle);
    }
    const reset = button("lsv-btn", "Frame all motions again (r)", "Reset camera");
    reset.addEventListener("click", () => actions.resetCamera());
    this.helpButton.addEventListener("click", () => actions.help());
    const last = element("div", "lsv-group lsv-last");
    last.append(reset, this.helpButton);
    this.root.append(this.play, speedGroup, toggleGroup, last);

    this.help.hidden = true;
    for (const [key, meaning] of KEYS) {
      const entry = element("div", "lsv-help-entry");
      entry.append(element("kbd", "lsv-kbd", key), document.createTextNode(meaning));
      this.help.append(entry);
    }
  }

  /** Called every frame: touches only what changed. */
  showClock(clock: Clock): void {
    if (this.isPlaying !== clock.playing) {
      this.isPlaying = clock.playing;
      this.play.replaceChildren(icon(clock.playing ? PAUSE : PLAY));
      this.play.setAttribute("aria-label", clock.playing ? "Pause (space)" : "Play (space)");
    }
    const last = String(clock.frames - 1);
    if (this.scrub.max !== last) this.scrub.max = last;
    this.scrub.value = String(clock.position);
    const words = `Frame ${clock.frame} / ${clock.frames - 1}`;
    if (this.readout.textContent !== words) {
      this.readout.textContent = words;
      this.seconds.textContent = `${Math.min(clock.time, clock.duration).toFixed(2)} s`;
    }
  }

  showSpeed(speed: number): void {
    for (const [value, choice] of this.speeds) choice.setAttribute("aria-pressed", String(value === speed));
  }

  showToggle(name: Toggle, on: boolean, possible = true): void {
    const toggle = this.toggles.get(name);
    if (toggle === undefined) return;
    toggle.setAttribute("aria-pressed", String(on && possible));
    toggle.disabled = !possible;
  }

  toggleHelp(): void {
    this.help.hidden = !this.help.hidden;
    this.helpButton.setAttribute("aria-expanded", String(!this.help.hidden));
  }
}

function button(className: string, title: string, label?: string): HTMLButtonElement {
  const node = element("button", className, label);
  node.type = "button";
  node.title = title;
  if (label === undefined) node.setAttribute("aria-label", title);
  return node;
}

function group(label: string): HTMLDivElement {
  const node = element("div", "lsv-group lsv-joined");
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", label);
  return node;
}
