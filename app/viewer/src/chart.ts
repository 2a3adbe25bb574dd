/** Draws one row of the strip on its canvas. */

import { ALARM_COLOR } from "./figure";
import { durationOf } from "./motion";
import { drawnFrames, type StripLine, type StripRow, stretchesOf } from "./rows";
import type { Theme } from "./theme";

export const INK = {
  light: { text: "#1F2733", soft: "#586474", line: "#C3CAD3", field: "#F4F6F9" },
  dark: { text: "#E6EAF0", soft: "#A3AEBD", line: "#4A5361", field: "#1C212A" },
} as const;

const LINES_PX = 28;
const FOOT_LINES_PX = 40;
const BAR_PX = 4;
const BAR_GAP_PX = 2;
const INSET_PX = 3;

export function heightOf(row: StripRow): number {
  const bars = row.lines.filter((line) => line.stance !== null).length;
  return plotHeightOf(row) + (bars > 0 ? INSET_PX + bars * (BAR_PX + BAR_GAP_PX) : 0);
}

/** Of the lines alone, without the bars below. */
export function plotHeightOf(row: StripRow): number {
  return row.lines.some((line) => line.stance !== null) ? FOOT_LINES_PX : LINES_PX;
}

/** `duration` seconds take the whole width. */
export function drawRow(canvas: HTMLCanvasElement, row: StripRow, width: number, duration: number, theme: Theme): void {
  const height = heightOf(row);
  const plot = plotHeightOf(row);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(ratio, ratio);
  context.fillStyle = INK[theme].field;
  context.fillRect(0, 0, width, plot);
  const y = (value: number) => plot - 2 - clamp((value - row.low) / (row.high - row.low), 0, 1) * (plot - 4);
  context.strokeStyle = INK[theme].line;
  context.lineWidth = 1;
  stroke(context, [[0, y(0)], [width, y(0)]]);
  let top = plot + INSET_PX;
  for (const line of row.lines) {
    const x = placesOf(line, width, duration);
    drawLine(context, row, line, x, y, lineColor(line.band.color, theme));
    if (line.stance === null) continue;
    context.fillStyle = INK[theme].field;
    context.fillRect(0, top, width, BAR_PX);
    context.fillStyle = lineColor(line.band.color, theme);
    for (const [first, last] of stretchesOf(line.stance)) {
      const left = x(first - 0.5);
      context.fillRect(left, top, Math.max(x(last + 0.5) - left, 1), BAR_PX);
    }
    top += BAR_PX + BAR_GAP_PX;
  }
  context.strokeStyle = ALARM_COLOR;
  context.lineWidth = 1.5;
  context.setLineDash([4, 3]);
  for (const line of row.lines) {
    const { rejectedFrame } = line.band.motion;
    if (rejectedFrame === null) continue;
    const x = placesOf(line, width, duration)(rejectedFrame);
    stroke(context, [[x, 0], [x, height]]);
  }
}

/** Ticks of the common time axis, in seconds. */
export function ticksOf(duration: number, width: number): number[] {
  const wanted = duration / Math.max(width / 90, 1);
  const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300].find((s) => s >= wanted) ?? 600;
  const count = Math.floor(duration / step + 1e-6) + 1;
  return Array.from({ length: count }, (_, i) => Number((i * step).toFixed(2)));
}

function drawLine(
  context: CanvasRenderingContext2D,
  row: StripRow,
  { values }: StripLine,
  x: (frame: number) => number,
  y: (value: number) => number,
  color: string,
): void {
  const columns = Math.max(Math.ceil(x(values.length - 1) - x(0)), 1);
  const points = drawnFrames(values, columns)
    .filter((frame) => Number.isFinite(values[frame]))
    .map((frame): [number, number] => [x(frame), y(values[frame])]);
  if (points.length === 0) return;
  if (row.filled) {
    context.globalAlpha = 0.3;
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(points[0][0], y(0));
    for (const [left, top] of points) context.lineTo(left, top);
    context.lineTo(points[points.length - 1][0], y(0));
    context.fill();
    context.globalAlpha = 1;
  }
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  stroke(context, points);
}

/** Where a frame of this motion is, in pixels. */
function placesOf({ band: { motion } }: StripLine, width: number, duration: number): (frame: number) => number {
  const end = duration > 0 ? durationOf(motion) / duration : 1;
  return (frame) => (motion.frames > 1 ? (clamp(frame, 0, motion.frames - 1) / (motion.frames - 1)) * end : 0) * width;
}

function stroke(context: CanvasRenderingContext2D, points: readonly (readonly [number, number])[]): void {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

/** Colours of figures are mid-tones; on a dark field a line needs more light. */
export function lineColor(color: string, theme: Theme): string {
  return theme === "dark" ? mixed(color, 255, 0.3) : color;
}

function mixed(color: string, to: number, share: number): string {
  const parts = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (to - part) * share)).join(" ")})`;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
