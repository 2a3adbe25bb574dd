/** What goes wrong, frame by frame: one band per pane on the clock's time axis; click or drag jumps. */

import { element } from "./dom";
import { ALARM_COLOR } from "./figure";
import { durationOf, type Motion } from "./motion";
import type { PaneSpec } from "./spec";
import type { Theme } from "./theme";

export interface StripBand {
  readonly spec: PaneSpec;
  readonly motion: Motion;
}

/** Room left and right of the time axis; the scrubber keeps the same. */
export const GUTTER_LEFT_PX = 124;
export const GUTTER_RIGHT_PX = 66;

const HEIGHT_ROW_PX = 26;
const CONTACT_ROW_PX = 11;
const AREA_ROW_PX = 15;
const ROW_GAP_PX = 3;
const BAND_GAP_PX = 11;
const TITLE_PX = 16;
const AXIS_PX = 18;

const INK = {
  light: { text: "#1F2733", soft: "#586474", line: "#D3D9E0", field: "#F4F6F9" },
  dark: { text: "#E6EAF0", soft: "#A3AEBD", line: "#3A424F", field: "#1C212A" },
} as const;

interface Row {
  readonly label: string;
  readonly height: number;
  /** Text at the right: the value at the top of the row. */
  readonly scale: string;
  draw(context: CanvasRenderingContext2D, band: StripBand, x: (frame: number) => number, top: number): void;
}

export class Strip {
  readonly root = element("div", "lsv-strip");
  private readonly canvas = element("canvas", "lsv-strip-canvas");
  private readonly cursor = element("div", "lsv-cursor");
  private bands: readonly StripBand[] = [];
  private duration = 0;
  private width = 0;
  private theme: Theme = "light";

  constructor(private readonly onSeek: (time: number) => void) {
    this.canvas.setAttribute("role", "img");
    const legend = element("div", "lsv-legend");
    for (const [sign, words] of LEGEND) {
      const entry = element("span", "lsv-legend-entry");
      entry.append(element("span", `lsv-sign lsv-sign-${sign}`), document.createTextNode(words));
      legend.append(entry);
    }
    this.root.append(this.canvas, this.cursor, legend);
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.seekTo(event);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.canvas.hasPointerCapture(event.pointerId)) this.seekTo(event);
    });
  }

  setBands(bands: readonly StripBand[], duration: number): void {
    this.bands = bands;
    this.duration = duration;
    const names = bands.map((band) => band.spec.title).join(", ");
    this.canvas.setAttribute("aria-label", `Foot height, contact, skate, penetration by frame: ${names}`);
    this.draw();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.draw();
  }

  resize(width: number): void {
    if (width === this.width) return;
    this.width = width;
    this.draw();
  }

  setTime(time: number): void {
    const share = this.duration > 0 ? Math.min(time / this.duration, 1) : 0;
    this.cursor.style.transform = `translateX(${GUTTER_LEFT_PX + share * this.plotWidth}px)`;
  }

  private get plotWidth(): number {
    return Math.max(this.width - GUTTER_LEFT_PX - GUTTER_RIGHT_PX, 1);
  }

  private seekTo(event: PointerEvent): void {
    const x = event.clientX - this.canvas.getBoundingClientRect().left - GUTTER_LEFT_PX;
    this.onSeek((x / this.plotWidth) * this.duration);
  }

  private draw(): void {
    this.root.hidden = this.bands.length === 0;
    if (this.bands.length === 0 || this.width === 0) return;
    const ink = INK[this.theme];
    const layout = this.bands.map((band) => rowsFor(band, this.bands, this.theme));
    const heights = layout.map((rows) => TITLE_PX + rows.reduce((sum, row) => sum + row.height + ROW_GAP_PX, 0));
    const height = heights.reduce((sum, h) => sum + h + BAND_GAP_PX, 0) - BAND_GAP_PX + AXIS_PX;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.height = `${height}px`;
    this.cursor.style.height = `${height - AXIS_PX}px`;
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    context.scale(ratio, ratio);
    context.font = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
    context.textBaseline = "middle";
    let top = 0;
    this.bands.forEach((band, i) => {
      this.drawBand(context, band, layout[i], top, ink);
      top += heights[i] + BAND_GAP_PX;
    });
    this.drawAxis(context, height, ink);
  }

  private drawBand(
    context: CanvasRenderingContext2D,
    band: StripBand,
    rows: readonly Row[],
    bandTop: number,
    ink: (typeof INK)[Theme],
  ): void {
    const { motion, spec } = band;
    const end = this.duration > 0 ? durationOf(motion) / this.duration : 1;
    const x = (frame: number) =>
      GUTTER_LEFT_PX + (motion.frames > 1 ? (frame / (motion.frames - 1)) * end : 0) * this.plotWidth;
    context.textAlign = "left";
    context.fillStyle = spec.color;
    context.fillRect(0, bandTop + 2, 10, 10);
    context.fillStyle = ink.text;
    context.font = context.font.replace(/^(?:600 )?/, "600 ");
    context.fillText(fitted(context, spec.title, this.width - 32), 16, bandTop + 8);
    context.font = context.font.replace(/^600 /, "");
    let top = bandTop + TITLE_PX;
    for (const row of rows) {
      context.fillStyle = ink.field;
      context.fillRect(GUTTER_LEFT_PX, top, this.plotWidth, row.height);
      context.fillStyle = ink.soft;
      context.textAlign = "right";
      context.fillText(row.label, GUTTER_LEFT_PX - 10, top + row.height / 2);
      context.textAlign = "left";
      context.fillText(row.scale, GUTTER_LEFT_PX + this.plotWidth + 8, top + row.height / 2);
      row.draw(context, band, x, top);
      top += row.height + ROW_GAP_PX;
    }
  }

  private drawAxis(context: CanvasRenderingContext2D, height: number, ink: (typeof INK)[Theme]): void {
    const wanted = this.duration / Math.max(this.plotWidth / 90, 1);
    const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60].find((s) => s >= wanted) ?? 60;
    context.fillStyle = ink.soft;
    context.strokeStyle = ink.line;
    context.textAlign = "center";
    for (let time = 0; time <= this.duration + 1e-6; time += step) {
      const x = GUTTER_LEFT_PX + (this.duration > 0 ? time / this.duration : 0) * this.plotWidth;
      context.beginPath();
      context.moveTo(x, height - AXIS_PX);
      context.lineTo(x, height - AXIS_PX + 3);
      context.stroke();
      context.fillText(`${Number(time.toFixed(2))} s`, x, height - 7);
    }
  }
}

const LEGEND: readonly (readonly [string, string])[] = [
  ["left", "left foot"],
  ["right", "right foot (dashed)"],
  ["contact", "in contact"],
  ["alarm", "skate: sliding while in contact, m/s; below floor: deepest point, cm"],
  ["force", "residual force: help from outside, body weights"],
];

/** All bands share their scales, so that heights can be compared between panes. */
function rowsFor(band: StripBand, all: readonly StripBand[], theme: Theme): Row[] {
  const top = (of: (motion: Motion) => Float32Array | null, least: number, most: number) =>
    Math.min(Math.max(least, ...all.map(({ motion }) => largest(of(motion)))), most);
  const lift = top((m) => m.footHeight, 0.1, 1);
  const skate = top((m) => m.skate, 0.2, 5);
  const depth = top((m) => m.penetration, 0.02, 1);
  const rows: Row[] = [
    { label: "foot height", height: HEIGHT_ROW_PX, scale: `${lift.toFixed(2)} m`, draw: footHeights(lift, theme) },
    { label: "contact", height: CONTACT_ROW_PX, scale: "left, right", draw: contacts },
    {
      label: "skate",
      height: AREA_ROW_PX,
      scale: `${skate.toFixed(2)} m/s`,
      draw: area(AREA_ROW_PX, skate, ALARM_COLOR, (motion, frame) => {
        const feet = motion.feet.length;
        return largest(motion.skate.subarray(frame * feet, (frame + 1) * feet));
      }),
    },
    {
      label: "below floor",
      height: AREA_ROW_PX,
      scale: `${(depth * 100).toFixed(1)} cm`,
      draw: area(AREA_ROW_PX, depth, ALARM_COLOR, (motion, frame) => motion.penetration[frame]),
    },
  ];
  if (band.motion.residualForce !== null) {
    const force = top((m) => m.residualForce, 0.2, 10);
    const color = theme === "light" ? "#586474" : "#A3AEBD";
    rows.push({
      label: "residual force",
      height: AREA_ROW_PX,
      scale: `${force.toFixed(2)} BW`,
      draw: area(AREA_ROW_PX, force, color, (motion, frame) => motion.residualForce?.[frame] ?? 0),
    });
  }
  return rows;
}

function footHeights(top_m: number, theme: Theme): Row["draw"] {
  return (context, { motion, spec }, x, top) => {
    const feet = motion.feet.length;
    const y = (height: number) => top + HEIGHT_ROW_PX - 4 - clamp(height / top_m, -0.1, 1) * (HEIGHT_ROW_PX - 6);
    context.strokeStyle = theme === "light" ? "#9AA4B1" : "#5B6675";
    context.lineWidth = 0.75;
    context.beginPath();
    context.moveTo(x(0), y(0));
    context.lineTo(x(motion.frames - 1), y(0));
    context.stroke();
    for (let foot = 0; foot < feet; foot++) {
      context.strokeStyle = mixed(spec.color, theme === "dark" ? "#FFFFFF" : "#000000", 0.2);
      context.lineWidth = 1.5;
      context.setLineDash(isRight(motion, foot) ? [4, 3] : []);
      context.beginPath();
      for (let frame = 0; frame < motion.frames; frame++) {
        context.lineTo(x(frame), y(motion.footHeight[frame * feet + foot]));
      }
      context.stroke();
    }
    context.setLineDash([]);
  };
}

const contacts: Row["draw"] = (context, { motion, spec }, x, top) => {
  const feet = motion.feet.length;
  const height = (CONTACT_ROW_PX - 2) / Math.max(feet, 1);
  const order = motion.feet.map((_, foot) => foot);
  order.sort((a, b) => Number(isRight(motion, a)) - Number(isRight(motion, b)));
  const rank = order.map((_, foot) => order.indexOf(foot));
  context.fillStyle = spec.color;
  for (let foot = 0; foot < feet; foot++) {
    context.globalAlpha = isRight(motion, foot) ? 0.65 : 1;
    const row = top + 1 + rank[foot] * height;
    for (let frame = 0; frame < motion.frames; frame++) {
      if (!motion.contact[frame * feet + foot]) continue;
      const first = frame;
      while (frame + 1 < motion.frames && motion.contact[(frame + 1) * feet + foot]) frame++;
      const left = x(Math.max(first - 0.5, 0));
      context.fillRect(left, row, x(Math.min(frame + 0.5, motion.frames - 1)) - left, height - 1);
    }
  }
  context.globalAlpha = 1;
};

function area(
  height: number,
  top_value: number,
  color: string,
  value: (motion: Motion, frame: number) => number,
): Row["draw"] {
  return (context, { motion }, x, top) => {
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(x(0), top + height);
    for (let frame = 0; frame < motion.frames; frame++) {
      context.lineTo(x(frame), top + height - clamp(value(motion, frame) / top_value, 0, 1) * (height - 1));
    }
    context.lineTo(x(motion.frames - 1), top + height);
    context.fill();
  };
}

function isRight(motion: Motion, foot: number): boolean {
  return /^r(ight|_|[A-Z])/i.test(motion.feet[foot].name);
}

function largest(values: Float32Array | null): number {
  let most = 0;
  for (const value of values ?? []) if (value > most) most = value;
  return most;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** `share` of the way from one #rrggbb to another. */
function mixed(from: string, to: string, share: number): string {
  const channel = (color: string, i: number) => parseInt(color.slice(1 + 2 * i, 3 + 2 * i), 16);
  const parts = [0, 1, 2].map((i) => Math.round(channel(from, i) + (channel(to, i) - channel(from, i)) * share));
  return `rgb(${parts.join(" ")})`;
}

function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end--;
  return `${text.slice(0, end)}…`;
}
