/** What goes wrong, frame by frame: a row per measure, a line per pane, on the clock's time axis; click or drag jumps. */

import { drawRow, INK, lineColor, plotHeightOf, ticksOf } from "./chart";
import { element, setText } from "./dom";
import { rowsOf, type StripBand, type StripRow } from "./rows";
import type { Theme } from "./theme";

/** Room left and right of the time axis; the scrubber keeps the same. */
export const GUTTER_LEFT_PX = 124;
export const GUTTER_RIGHT_PX = 66;

const FOLDED_KEY = "loopscope.strip.folded";
const TIP_GAP_PX = 14;

/** A row on the screen. */
interface Shown {
  readonly root: HTMLElement;
  readonly name: HTMLButtonElement;
  readonly title: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly scale: HTMLElement;
  readonly high: HTMLElement;
  readonly low: HTMLElement;
}

export class Strip {
  readonly root = element("div", "lsv-strip");
  private readonly plots = element("div", "lsv-plots");
  private readonly axis = element("div", "lsv-axis");
  private readonly cursor = element("div", "lsv-cursor");
  private readonly hover = element("div", "lsv-cursor lsv-hover");
  private readonly tip = element("div", "lsv-tip");
  private readonly legend = element("div", "lsv-legend");
  private readonly folded = new Set<string>(remembered());
  private readonly shown = new Map<string, Shown>();
  private bands: readonly StripBand[] = [];
  private rows: readonly StripRow[] = [];
  private duration = 0;
  private width = 0;
  private theme: Theme = "light";

  constructor(private readonly onSeek: (time: number) => void) {
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Measures by frame");
    this.hover.hidden = this.tip.hidden = true;
    const area = element("div", "lsv-plot-area");
    area.append(this.plots, this.axis, this.cursor, this.hover, this.tip);
    this.root.append(area, this.legend);
    area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || isButton(event.target)) return;
      area.setPointerCapture(event.pointerId);
      this.onSeek(this.timeAt(event));
    });
    area.addEventListener("pointermove", (event) => {
      if (area.hasPointerCapture(event.pointerId)) this.onSeek(this.timeAt(event));
      this.showTip(event);
    });
    area.addEventListener("pointerleave", () => this.hideTip());
  }

  setBands(bands: readonly StripBand[], duration: number): void {
    this.bands = bands;
    this.duration = duration;
    this.rows = rowsOf(bands);
    this.root.hidden = bands.length === 0;
    this.hideTip();
    this.arrange();
    this.draw();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.writeLegend();
    this.draw();
  }

  resize(width: number): void {
    if (width === this.width) return;
    this.width = width;
    this.draw();
  }

  setTime(time: number): void {
    this.cursor.style.transform = `translateX(${this.xAt(time)}px)`;
  }

  private get plotWidth(): number {
    return Math.max(this.width - GUTTER_LEFT_PX - GUTTER_RIGHT_PX, 1);
  }

  private xAt(time: number): number {
    const share = this.duration > 0 ? Math.min(time / this.duration, 1) : 0;
    return GUTTER_LEFT_PX + share * this.plotWidth;
  }

  private timeAt(event: PointerEvent): number {
    const x = event.clientX - this.root.getBoundingClientRect().left - GUTTER_LEFT_PX;
    return Math.min(Math.max(x / this.plotWidth, 0), 1) * this.duration;
  }

  /** Rows are kept by key, so that nothing on the screen is rebuilt when motions change. */
  private arrange(): void {
    for (const [key, { root }] of this.shown) {
      if (this.rows.some((row) => row.key === key)) continue;
      root.remove();
      this.shown.delete(key);
    }
    this.rows.forEach((row, i) => {
      const made = this.shown.get(row.key) ?? this.newRow(row.key);
      this.shown.set(row.key, made);
      if (this.plots.children[i] !== made.root) this.plots.insertBefore(made.root, this.plots.children[i] ?? null);
      made.title.textContent = row.title;
      made.name.title = `${row.meaning}. Click to fold or unfold.`;
      setText(made.high, row.high.toFixed(row.digits));
      setText(made.low, shortUnit(row.unit));
      made.scale.style.height = `${plotHeightOf(row)}px`;
      made.canvas.setAttribute("aria-label", wordsOf(row));
      this.showFold(row.key);
    });
    this.writeLegend();
  }

  private newRow(key: string): Shown {
    const root = element("div", "lsv-row");
    root.dataset.row = key;
    const name = element("button", "lsv-row-name");
    name.type = "button";
    const title = element("span", "lsv-row-title");
    name.append(title, element("span", "lsv-chevron"));
    name.addEventListener("click", () => {
      if (!this.folded.delete(key)) this.folded.add(key);
      remember([...this.folded]);
      this.showFold(key);
      this.draw();
    });
    const canvas = element("canvas", "lsv-row-canvas");
    canvas.setAttribute("role", "img");
    const scale = element("div", "lsv-row-scale");
    const high = element("span", "lsv-row-high");
    const low = element("span", "lsv-row-low");
    scale.append(high, low);
    root.append(name, canvas, scale);
    return { root, name, title, canvas, scale, high, low };
  }

  private showFold(key: string): void {
    const shown = this.shown.get(key);
    if (shown === undefined) return;
    const open = !this.folded.has(key);
    shown.name.setAttribute("aria-expanded", String(open));
    shown.root.toggleAttribute("data-folded", !open);
  }

  private draw(): void {
    if (this.bands.length === 0 || this.width === 0) return;
    for (const row of this.rows) {
      const canvas = this.shown.get(row.key)?.canvas;
      if (canvas && !this.folded.has(row.key)) drawRow(canvas, row, this.plotWidth, this.duration, this.theme);
    }
    const ticks = ticksOf(this.duration, this.plotWidth).map((second) => {
      const tick = element("span", "lsv-tick", `${second} s`);
      tick.style.left = `${this.xAt(second)}px`;
      return tick;
    });
    this.axis.replaceChildren(...ticks);
    this.axis.style.color = INK[this.theme].soft;
  }

  private writeLegend(): void {
    const entries = this.bands.map(({ title, color }) => {
      const sign = element("span", "lsv-sign");
      sign.style.borderColor = lineColor(color, this.theme);
      return legendEntry(sign, title);
    });
    if (this.rows.some((row) => row.lines.some((line) => line.stance !== null))) {
      entries.push(legendEntry(element("span", "lsv-sign lsv-sign-stance"), "bar: the foot stands"));
    }
    if (this.bands.some(({ motion }) => motion.rejectedFrame !== null)) {
      entries.push(legendEntry(element("span", "lsv-sign lsv-sign-rejected"), "rejected in this frame"));
    }
    this.legend.replaceChildren(...entries);
  }

  /** Values of the row under the pointer, pane by pane, at the pointer's moment. */
  private showTip(event: PointerEvent): void {
    const target = event.target instanceof Element ? event.target.closest<HTMLElement>(".lsv-row") : null;
    const row = this.rows.find(({ key }) => key === target?.dataset.row);
    if (row === undefined || isButton(event.target) || target?.hasAttribute("data-folded")) {
      this.hideTip();
      return;
    }
    const time = this.timeAt(event);
    const fps = Math.max(...this.bands.map(({ motion }) => motion.fps));
    const lines = row.lines.map((line) => {
      const entry = element("div", "lsv-tip-line");
      const sign = element("span", "lsv-sign");
      sign.style.borderColor = lineColor(line.band.color, this.theme);
      entry.append(sign, document.createTextNode(reading(row, line, time)));
      return entry;
    });
    const frame = Math.round(time * fps);
    const head = element("div", "lsv-tip-head", `${row.title}, frame ${frame}, ${(frame / fps).toFixed(2)} s`);
    this.tip.replaceChildren(head, ...lines);
    this.tip.hidden = this.hover.hidden = false;
    const x = this.xAt(time);
    this.hover.style.transform = `translateX(${x}px)`;
    const box = this.root.getBoundingClientRect();
    const left = x + TIP_GAP_PX + this.tip.offsetWidth > this.width ? x - TIP_GAP_PX - this.tip.offsetWidth : x + TIP_GAP_PX;
    this.tip.style.transform = `translate(${left}px, ${event.clientY - box.top + TIP_GAP_PX}px)`;
  }

  private hideTip(): void {
    this.tip.hidden = this.hover.hidden = true;
  }
}

function reading(row: StripRow, { band, values, stance }: StripRow["lines"][number], time: number): string {
  const frame = Math.round(time * band.motion.fps);
  if (frame >= values.length) return `${band.title}: has ended`;
  if (!Number.isFinite(values[frame])) return `${band.title}: no value`;
  const stands = stance === null ? "" : stance[frame] ? ", stands" : ", swings";
  return `${band.title}: ${values[frame].toFixed(row.digits)} ${row.unit}${stands}`;
}

/** For a screen reader: what the lines reach. */
function wordsOf(row: StripRow): string {
  const lines = row.lines.map(({ band, values }) => {
    const most = values.reduce((high, value) => (value > high ? value : high), 0);
    return `${band.title} up to ${most.toFixed(row.digits)}`;
  });
  return `${row.title}, ${row.unit}: ${lines.join(", ")}`;
}

function legendEntry(sign: HTMLElement, words: string): HTMLElement {
  const entry = element("span", "lsv-legend-entry");
  entry.append(sign, document.createTextNode(words));
  return entry;
}

function shortUnit(unit: string): string {
  return unit === "body weights" ? "BW" : unit;
}

function isButton(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button") !== null;
}

function remembered(): string[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(FOLDED_KEY) ?? "[]");
    return Array.isArray(value) ? value.filter((key) => typeof key === "string") : [];
  } catch {
    return []; // storage may be closed to this page
  }
}

function remember(keys: readonly string[]): void {
  try {
    localStorage.setItem(FOLDED_KEY, JSON.stringify(keys));
  } catch {
    // Then rows open again with the next page.
  }
}
