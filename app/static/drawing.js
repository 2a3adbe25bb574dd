/** Small pictures on a canvas: scatter, curve, histogram, contact sheet, tails. Each is drawn whole in a few ms. */

const FONT = "11.5px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const REAL = "#6B7280";

/** The page's colours, as they are now. */
export function palette() {
  const style = getComputedStyle(document.body);
  const read = (name, other) => style.getPropertyValue(name).trim() || other;
  return { ink: read("--body-text-color", "#333"), soft: read("--ls-soft", "#666"), grid: read("--ls-grid", "#ddd") };
}

/** A canvas' context in CSS pixels, sized to the place it has; `height` in CSS pixels. */
function paper(canvas, height) {
  const width = Math.max(canvas.parentElement?.clientWidth ?? 0, 120);
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = FONT;
  return { pen, width, height };
}

/** Round values between two bounds, about `count` of them. */
function ticks(low, high, count) {
  const span = high - low || 1;
  const unit = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map((d) => d * unit).find((s) => span / s <= count) ?? 10 * unit;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * span; k++) found.push(k * step);
  return found;
}

function words(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
}

/** Axes with ticks; returns how data become pixels. `marks`: [{at, text}] instead of round values. */
function axes(sheet, colours, { x, y, xTitle = "", yTitle = "", xMarks, yMarks, xLog = false, yLog = false }) {
  const { pen, width, height } = sheet;
  const box = { left: yTitle ? 62 : 38, right: width - 10, top: 10, bottom: height - (xTitle ? 36 : 22) };
  const scale = ([low, high], from, to, log) => {
    const f = log ? Math.log10 : (v) => v;
    const [a, b] = [f(low), f(high)];
    return (value) => from + ((f(value) - a) / (b - a || 1)) * (to - from);
  };
  const px = scale(x, box.left, box.right, xLog);
  const py = scale(y, box.bottom, box.top, yLog);
  pen.lineWidth = 1;
  pen.textBaseline = "middle";
  pen.fillStyle = colours.soft;
  pen.strokeStyle = colours.grid;
  const xs = xMarks ?? ticks(x[0], x[1], Math.max(3, Math.floor((box.right - box.left) / 60))).map((v) => ({ at: v, text: words(v) }));
  const ys = yMarks ?? ticks(y[0], y[1], 5).map((v) => ({ at: v, text: words(v) }));
  for (const { at, text } of ys) {
    const at_ = Math.round(py(at)) + 0.5;
    pen.beginPath();
    pen.moveTo(box.left, at_);
    pen.lineTo(box.right, at_);
    pen.stroke();
    pen.textAlign = "right";
    pen.fillText(text, box.left - 5, at_);
  }
  for (const { at, text } of xs) {
    const at_ = Math.round(px(at)) + 0.5;
    pen.beginPath();
    pen.moveTo(at_, box.top);
    pen.lineTo(at_, box.bottom);
    pen.stroke();
    pen.textAlign = "center";
    pen.fillText(text, at_, box.bottom + 11);
  }
  if (xTitle) {
    pen.textAlign = "center";
    pen.fillText(xTitle, (box.left + box.right) / 2, height - 8, box.right - box.left);
  }
  if (yTitle) {
    pen.save();
    pen.translate(8, (box.top + box.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText(yTitle, 0, 0, box.bottom - box.top);
    pen.restore();
  }
  return { px, py, box };
}

function clip(pen, box) {
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
}

function dots(pen, points, px, py, radius, colour, alpha) {
  pen.fillStyle = colour;
  pen.globalAlpha = alpha;
  for (const [a, b] of points) {
    if (a === null || b === null) continue;
    pen.beginPath();
    pen.arc(px(a), py(b), radius, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

/** How many samples lie outside the picture (or are no numbers), in words for below it. */
function outside(count) {
  return count === 0 ? "" : `${count} outside the picture`;
}

const within = (value, [low, high]) => value !== null && value >= low && value <= high;

/** Points (N rows of d numbers) over the real cloud; 1-D ones as a histogram. Returns a note. */
export function points(canvas, rows, real, facts, colour) {
  const d = rows[0]?.length ?? real[0]?.length ?? 2;
  if (d === 1) return density(canvas, rows.map((r) => r[0]), real.map((r) => r[0]), facts.limits?.[0], colour);
  const limits = squared(facts.limits?.length >= 2 ? facts.limits : span2(rows.concat(real)));
  const width = Math.max(canvas.parentElement?.clientWidth ?? 0, 120);
  // Equal axes: a unit is as long across as it is up.
  const ratio = (limits[1][1] - limits[1][0]) / (limits[0][1] - limits[0][0]);
  const sheet = paper(canvas, Math.min((width - 48) * ratio + 32, 420));
  const inner = [sheet.width - 48, sheet.height - 32];
  const unit = Math.min(inner[0] / (limits[0][1] - limits[0][0]), inner[1] / (limits[1][1] - limits[1][0]));
  const [x, y] = limits.map(([low, high], i) => {
    const [middle, half] = [(low + high) / 2, inner[i] / unit / 2];
    return [middle - half, middle + half];
  });
  const { px, py, box } = axes(sheet, palette(), { x, y });
  clip(sheet.pen, box);
  dots(sheet.pen, real, px, py, 2, REAL, 0.6);
  dots(sheet.pen, rows, px, py, rows.length > 120 ? 2.4 : 3.2, colour, 0.8);
  sheet.pen.restore();
  const notes = [outside(rows.filter(([a, b]) => !within(a, x) || !within(b, y)).length)];
  if (d > 2) notes.unshift(`axes 1 and 2 of ${d}`);
  return notes.filter(Boolean).join("; ");
}

function span2(rows) {
  return [0, 1].map((i) => span(rows.map((row) => row[i])));
}

function span(values) {
  const known = values.filter((v) => v !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  if (!Number.isFinite(low)) return [-1, 1];
  const air = 0.06 * (high - low || 1);
  return [low - air, high + air];
}

function squared(limits) {
  return limits.slice(0, 2).map(([low, high]) => (high > low ? [low, high] : [low - 1, high + 1]));
}

/** Histogram of numbers, with smooth densities of them and of the real ones. */
function density(canvas, values, real, limits, colour) {
  const x = limits && limits[1] > limits[0] ? limits : span(values.concat(real));
  const sheet = paper(canvas, 240);
  const kept = values.filter((v) => within(v, x));
  const bins = Math.max(8, Math.min(40, Math.round(Math.sqrt(values.length) * 2)));
  const step = (x[1] - x[0]) / bins;
  const counts = new Array(bins).fill(0);
  for (const value of kept) counts[Math.min(bins - 1, Math.floor((value - x[0]) / step))] += 1 / (values.length * step);
  const grid = Array.from({ length: 160 }, (_, i) => x[0] + ((x[1] - x[0]) * i) / 159);
  const [ours, theirs] = [smooth(values, grid), smooth(real, grid)];
  const top = Math.max(...theirs, Math.min(Math.max(...ours, ...counts), 4 * Math.max(...theirs, 1e-12)));
  const { px, py, box } = axes(sheet, palette(), { x, y: [0, 1.08 * top], yTitle: "density" });
  const { pen } = sheet;
  clip(pen, box);
  line(pen, grid, theirs, px, py, { fill: REAL, alpha: 0.4 });
  pen.fillStyle = colour;
  pen.globalAlpha = 0.35;
  counts.forEach((c, i) => pen.fillRect(px(x[0] + i * step) + 0.5, py(c), px(x[0] + (i + 1) * step) - px(x[0] + i * step) - 1, py(0) - py(c)));
  pen.globalAlpha = 1;
  line(pen, grid, ours, px, py, { stroke: colour, width: 2 });
  pen.restore();
  return outside(values.length - kept.length);
}

/** Gaussian kernel density with Silverman's bandwidth, on a grid. */
function smooth(values, grid) {
  const known = values.filter((v) => v !== null);
  if (known.length < 2) return grid.map(() => 0);
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  const sd = Math.sqrt(known.reduce((a, b) => a + (b - mean) ** 2, 0) / (known.length - 1));
  const floor = (grid[1] - grid[0]) * 1.2; // a collapsed set is still to be seen
  const h = Math.max(1.06 * sd * known.length ** -0.2, floor);
  const norm = 1 / (known.length * h * Math.sqrt(2 * Math.PI));
  return grid.map((g) => norm * known.reduce((sum, v) => sum + Math.exp(-0.5 * ((g - v) / h) ** 2), 0));
}

function line(pen, xs, ys, px, py, { stroke, fill, width = 1.5, alpha = 1, dash = [] }) {
  pen.beginPath();
  xs.forEach((x, i) => (i === 0 ? pen.moveTo(px(x), py(ys[i])) : pen.lineTo(px(x), py(ys[i]))));
  pen.globalAlpha = alpha;
  if (fill) {
    pen.lineTo(px(xs[xs.length - 1]), py(0));
    pen.lineTo(px(xs[0]), py(0));
    pen.fillStyle = fill;
    pen.fill();
  }
  if (stroke) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    pen.stroke();
    pen.setLineDash([]);
  }
  pen.globalAlpha = 1;
}

/** Values over a known abscissa, with the line where both are equal. */
export function curve(canvas, values, labels, real, facts, colour) {
  const at = (label) => facts.abscissa?.[label] ?? label;
  const rows = values.map((v, i) => [at(labels[i]), v]);
  const cloud = (real?.values ?? []).map((v, i) => [at(real.labels[i]), v]);
  const sheet = paper(canvas, 260);
  const x = span(rows.concat(cloud).map((row) => row[0]));
  const y = span([...rows.concat(cloud).map((row) => row[1]), ...x]);
  const { px, py, box } = axes(sheet, palette(), { x, y, xTitle: facts.title ?? "" });
  clip(sheet.pen, box);
  line(sheet.pen, x, x, px, py, { stroke: palette().soft, dash: [6, 4] });
  dots(sheet.pen, cloud, px, py, 2.4, REAL, 0.6);
  dots(sheet.pen, rows, px, py, 3, colour, 0.85);
  sheet.pen.restore();
  return "dashed: equal";
}

/** Images as a contact sheet: crisp pixels, the class below each. */
export function images(canvas, coded, labels, facts, statuses) {
  const [height, width] = facts.shape;
  const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
  const count = labels.length;
  const across = Math.max(canvas.parentElement?.clientWidth ?? 0, 120);
  const zoom = Math.max(1, Math.min(Math.floor((count > 40 ? 34 : 52) / width), 8));
  const [tile, row] = [width * zoom + 6, height * zoom + 18];
  const columns = Math.max(1, Math.min(count, Math.floor(across / tile)));
  const { pen } = paper(canvas, Math.ceil(count / columns) * row + 4);
  const colours = palette();
  const one = document.createElement("canvas");
  [one.width, one.height] = [width, height];
  const small = one.getContext("2d");
  const data = small.createImageData(width, height);
  pen.imageSmoothingEnabled = false;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  for (let i = 0; i < count; i++) {
    for (let p = 0; p < width * height; p++) {
      const grey = bytes[i * width * height + p];
      data.data.set([grey, grey, grey, 255], 4 * p);
    }
    small.putImageData(data, 0, 0);
    const [x, y] = [(i % columns) * tile + 2, Math.floor(i / columns) * row + 2];
    pen.drawImage(one, x, y, width * zoom, height * zoom);
    const bad = statuses?.[i] === "rejected";
    pen.strokeStyle = bad ? "#b3261e" : colours.grid;
    pen.strokeRect(x - 0.5, y - 0.5, width * zoom + 1, height * zoom + 1);
    pen.fillStyle = bad ? "#b3261e" : colours.soft;
    pen.fillText(facts.class_names?.[labels[i]] ?? labels[i], x + (width * zoom) / 2, y + height * zoom + 8, tile);
  }
  return "";
}

const percent = (share) => `${Number((100 * share).toPrecision(2))} %`;

/** Shares beyond the real data's quantiles, of one or several loops, against the diagonal of the real data. */
export function tailShares(canvas, several) {
  const sheet = paper(canvas, 240);
  const levels = several[0].tails.levels;
  const low = Math.min(...levels) / 5;
  const marks = levels.map((at) => ({ at, text: percent(at) }));
  const { px, py, box } = axes(sheet, palette(), {
    x: [Math.min(...levels) / 1.5, 1], y: [low, 1], xLog: true, yLog: true, xMarks: marks,
    yMarks: [...marks, { at: 1, text: "100 %" }, { at: low, text: "0" }],
    xTitle: "share of real data beyond the bound", yTitle: "of generated data",
  });
  clip(sheet.pen, { ...box, top: box.top - 5, bottom: box.bottom + 5, right: box.right + 5 });
  line(sheet.pen, [low, 1], [low, 1], px, py, { stroke: REAL, width: 1.5, dash: [6, 4] });
  for (const { tails, colour } of several) {
    const shares = tails.shares.map((s) => Math.max(s, low)); // none at all lies on the bottom line
    line(sheet.pen, levels, shares, px, py, { stroke: colour, width: 2.2 });
    dots(sheet.pen, levels.map((l, i) => [l, shares[i]]), px, py, 3.5, colour, 1);
  }
  sheet.pen.restore();
}

/** Histogram of the score by which tails are counted: real filled, generated as steps. */
export function tailHistogram(canvas, several) {
  const { real, score } = several[0].tails;
  const sheet = paper(canvas, 240);
  const top = Math.max(...real, ...several.flatMap(({ tails }) => tails.generated), 1e-9);
  const bounds = several.flatMap(({ tails }) => [tails.edges[0], tails.edges[tails.edges.length - 1]]);
  const x = [Math.min(...bounds), Math.max(...bounds)];
  const { px, py, box } = axes(sheet, palette(), { x, y: [0, 1.06 * top], xTitle: score, yTitle: "share of samples" });
  clip(sheet.pen, box);
  const steps = ({ edges }, shares) => {
    const inner = edges.flatMap((e, i) => (i === 0 || i === edges.length - 1 ? [e] : [e, e]));
    return [inner, shares.flatMap((s) => [s, s])];
  };
  line(sheet.pen, ...steps(several[0].tails, real), px, py, { fill: REAL, alpha: 0.45 });
  for (const { tails, colour } of several) line(sheet.pen, ...steps(tails, tails.generated), px, py, { stroke: colour, width: 2 });
  sheet.pen.restore();
}
