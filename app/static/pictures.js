/** Panels that are no motions: panes of points, curves, images or text, and what vanished, by generation. */

import { curve, images, palette, points, tailHistogram, tailShares } from "./drawing.js";

const KEPT = 600; // answers kept; a panel is a few kB
const AHEAD = 6; // generations fetched before they are wanted
const PLAY_S = 15; // a whole loop plays within this time
const STEP_MS = 110;
const ECHO_MS = 20_000; // by then the server has answered

const answers = new Map();

/** JSON of an address; null where there is nothing (yet). */
function get(url) {
  const known = answers.get(url);
  if (known !== undefined) {
    answers.delete(url);
    answers.set(url, known);
    return known;
  }
  const wanted = fetch(url).then(async (answer) => {
    if (answer.ok) return answer.json();
    answers.delete(url); // it may be there later
    return null;
  }).catch(() => {
    answers.delete(url);
    return null;
  });
  answers.set(url, wanted);
  while (answers.size > KEPT) answers.delete(answers.keys().next().value);
  return wanted;
}

const of = (url, generation) => url.replace("{g}", String(generation));

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** The component: `value` is a spec of `app.previews`; `trigger("select", {generation})` tells where a person went. */
export function pictures(element, props, trigger, watch) {
  const box = element.querySelector(".ls-pictures");
  const bar = make("div", "ls-pictures-bar");
  const play = make("button", "ls-button");
  play.type = "button";
  const readout = make("span", "ls-num ls-pictures-readout");
  readout.setAttribute("role", "status");
  const hint = make("span", "ls-soft", "Arrow keys step, space plays.");
  const save = make("button", "ls-button", "PNG");
  save.type = "button";
  save.title = "The panes as one picture";
  bar.append(play, readout, hint, save);
  const message = make("p", "ls-empty");
  const panes = make("div", "ls-panes");
  const tails = make("div", "ls-panes ls-tails");
  box.append(message, bar, panes, tails);

  let spec = null;
  let shown = 0; // the generation on screen
  let timer = 0;
  let turn = 0; // of drawing: what comes late is dropped
  let heard = -1; // the generation that the server named last
  const told = new Map(); // generations told to the server, oldest first: what comes back of them is no news

  const tell = (generation) => {
    told.delete(generation);
    told.set(generation, Date.now());
    trigger("select", { generation });
  };
  let waiting = 0;
  const tellSoon = (ms) => {
    if (waiting) return;
    waiting = setTimeout(() => {
      waiting = 0;
      tell(shown);
    }, ms);
  };

  const halt = () => {
    clearInterval(timer);
    clearTimeout(waiting);
    [timer, waiting] = [0, 0];
  };
  const stop = () => {
    if (!timer) return;
    halt();
    showBar();
    tellSoon(0);
  };
  const stride = () => Math.max(1, Math.round(spec.last / ((PLAY_S * 1000) / STEP_MS)));
  const start = () => {
    if (shown >= spec.last) step(-shown, false);
    timer = setInterval(() => {
      if (shown >= spec.last || !visible()) return stop();
      step(Math.min(stride(), spec.last - shown), false);
      tellSoon(400);
    }, STEP_MS);
    showBar();
  };
  const step = (by, say = true) => {
    const next = Math.min(Math.max(shown + by, 0), spec.last);
    if (next === shown) return;
    shown = next;
    draw();
    if (say) tellSoon(160);
  };
  const visible = () => box.offsetParent !== null;
  const showBar = () => {
    play.textContent = timer ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(Boolean(timer)));
    readout.textContent = `Generation ${shown} of ${spec.last}`;
  };

  play.addEventListener("click", () => (timer ? stop() : start()));
  save.addEventListener("click", () => savePicture(panes, `loopscope-generation-${shown}.png`));
  document.addEventListener("keydown", (event) => {
    if (spec === null || spec.panes.length === 0 || !visible() || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    if (at.closest?.("input, textarea, select, [contenteditable], [role=listbox], [role=tab]")) return;
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      event.preventDefault();
      stop();
      step(event.key === "ArrowRight" ? 1 : -1);
    } else if (event.key === " " && !at.closest?.("button, a, summary")) {
      event.preventDefault();
      if (timer) stop();
      else start();
    }
  });

  const take = () => {
    const next = props.value;
    const nothing = !next || (next.panes.length === 0 && next.tails.length === 0);
    box.hidden = nothing && !next?.message;
    message.hidden = !next?.message;
    message.textContent = next?.message ?? "";
    bar.hidden = nothing || next.panes.length === 0;
    if (nothing) {
      halt();
      [spec, heard] = [null, -1];
      panes.replaceChildren();
      tails.replaceChildren();
      return;
    }
    const other = spec === null || identity(spec) !== identity(next);
    spec = next;
    if (other || isNews(next.generation)) {
      if (next.generation !== shown) halt();
      shown = next.generation;
    }
    heard = next.generation;
    draw();
  };

  /** Whether a person moved the slider: the server names another generation, which it was not told from here. */
  const isNews = (generation) => {
    const mine = told.has(generation) && Date.now() - told.get(generation) < ECHO_MS;
    if (mine && generation !== heard) {
      for (const earlier of [...told.keys()]) {
        told.delete(earlier);
        if (earlier === generation) break;
      }
    }
    return generation !== heard && !mine;
  };

  const draw = async () => {
    const mine = ++turn;
    showBar();
    const [generation, now] = [shown, spec];
    const [found, vanished] = await Promise.all([
      Promise.all(now.panes.map((pane) => contents(pane, generation))),
      Promise.all(now.tails.map((one) => get(of(one.url, generation)))),
    ]);
    if (mine !== turn) return;
    fit(panes, now.panes.length, "ls-pane");
    now.panes.forEach((pane, i) => drawPane(panes.children[i], now.view, pane, generation, ...found[i]));
    drawTails(tails, now.tails.map((one, i) => ({ ...one, tails: vanished[i] })).filter((one) => one.tails !== null));
    box.dataset.generation = String(generation);
    for (let ahead = 1; ahead <= AHEAD; ahead++) {
      const next = generation + ahead * (timer ? stride() : 1);
      const others = timer ? [next] : [next, ...(ahead === 1 ? [generation - 1] : [])];
      for (const t of others.filter((t) => t >= 0 && t <= now.last)) {
        for (const one of [...now.panes, ...now.tails]) if (t <= one.last) get(of(one.url, t));
      }
    }
  };

  take();
  watch("value", take);
  const again = () => spec !== null && visible() && draw();
  new MutationObserver(again).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(box.clientWidth - width) < 2) return;
    width = box.clientWidth;
    again();
  }).observe(box);
}

const identity = (spec) => JSON.stringify([spec.view, spec.panes.map((p) => [p.id, p.url]), spec.tails.map((t) => t.url)]);

/** A pane's values, and the cloud of real data that goes behind it. */
function contents(pane, generation) {
  return Promise.all([pane.note ? null : get(of(pane.url, generation)), pane.real ? get(pane.real) : null]);
}

/** As many children as are wanted, the ones that are there kept. */
function fit(parent, count, className) {
  while (parent.children.length > count) parent.lastChild.remove();
  while (parent.children.length < count) {
    const figure = make("figure", className);
    const caption = make("figcaption", "");
    caption.append(make("b", ""), make("span", "ls-soft"));
    const place = make("div", "ls-place");
    figure.append(caption, place, make("p", "ls-soft ls-note"));
    parent.append(figure);
  }
}

function drawPane(figure, view, pane, generation, values, real) {
  const [title, subtitle] = figure.querySelector("figcaption").children;
  title.textContent = pane.title;
  title.style.setProperty("--arm", pane.color);
  subtitle.textContent = pane.subtitle;
  const [place, note] = [figure.querySelector(".ls-place"), figure.querySelector(".ls-note")];
  if (pane.note || values === null || values.view !== view) {
    place.replaceChildren();
    note.textContent = pane.note ? pane.note : values === null ? `Generation ${generation} is not there yet.` : `Shows ${values.view}: it cannot stand beside ${view}.`;
    return;
  }
  if (view === "text") {
    note.textContent = "";
    place.replaceChildren(...values.values[pane.kind].map((text, i) => passage(text, values, i, pane.kind)));
    return;
  }
  const canvas = place.querySelector("canvas") ?? make("canvas", "");
  if (canvas.parentElement !== place) place.replaceChildren(canvas);
  note.textContent = drawOn(canvas, view, pane, values, real);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${pane.title}, generation ${generation}: ${values.labels.length} ${view === "images" ? "images" : "samples"}`);
}

function drawOn(canvas, view, pane, values, real) {
  const rows = values.values[pane.kind];
  if (view === "images") {
    return images(canvas, rows, values.labels, values.facts, pane.kind === "corrected" ? values.statuses : []);
  }
  const alone = pane.kind === "real";
  if (view === "curve") {
    return curve(canvas, alone && real ? [] : rows, values.labels, real, values.facts, pane.color);
  }
  return points(canvas, alone && real ? [] : rows, real?.values ?? [], values.facts, pane.color);
}

function passage(text, values, index, kind) {
  const block = make("blockquote", "ls-passage");
  const label = values.facts.class_names?.[values.labels[index]];
  const rejected = kind === "corrected" && values.statuses[index] === "rejected";
  block.append(make("small", "ls-soft", `#${index}${label ? `, ${label}` : ""}${rejected ? ", rejected" : ""}`), make("p", "", text));
  return block;
}

function drawTails(parent, several) {
  fit(parent, several.length === 0 ? 0 : 2, "ls-pane");
  if (several.length === 0) return;
  const words = [
    ["Tails", "what vanishes first: shares beyond quantiles of the real data (dashed)", tailShares],
    ["Histogram", `${several[0].tails.score}; real filled`, tailHistogram],
  ];
  const drawn = several.map((one) => ({ ...one, colour: one.color }));
  words.forEach(([title, subtitle, draw], i) => {
    const figure = parent.children[i];
    const [name, more] = figure.querySelector("figcaption").children;
    [name.textContent, more.textContent] = [title, subtitle];
    const place = figure.querySelector(".ls-place");
    const canvas = place.querySelector("canvas") ?? place.appendChild(make("canvas", ""));
    draw(canvas, drawn);
    canvas.setAttribute("role", "img");
    const five = several.map((one) => `${one.title}: ${beyond(one.tails)}`).join("; ");
    canvas.setAttribute("aria-label", `${title}. ${five}`);
    figure.querySelector(".ls-note").textContent = i === 0 ? five : "";
  });
}

/** What became of the rarest samples, in words. */
function beyond({ levels, shares }) {
  const at = levels.indexOf(0.05) >= 0 ? levels.indexOf(0.05) : levels.length - 1;
  return `${Number((100 * shares[at]).toPrecision(2))} % lie where ${Number((100 * levels[at]).toPrecision(2))} % of real samples do`;
}

function savePicture(panes, name) {
  const found = [...panes.querySelectorAll("canvas")];
  if (found.length === 0) return;
  const scale = window.devicePixelRatio || 1;
  const all = document.createElement("canvas");
  all.width = found.reduce((sum, c) => sum + c.width + 12 * scale, 0);
  all.height = Math.max(...found.map((c) => c.height)) + 24 * scale;
  const pen = all.getContext("2d");
  pen.fillStyle = getComputedStyle(document.body).getPropertyValue("--ls-card").trim() || "#fff";
  pen.fillRect(0, 0, all.width, all.height);
  let x = 0;
  for (const canvas of found) {
    pen.fillStyle = palette().ink;
    pen.font = `${13 * scale}px system-ui, sans-serif`;
    pen.fillText(canvas.closest("figure").querySelector("b").textContent, x + 6 * scale, 16 * scale);
    pen.drawImage(canvas, x, 24 * scale);
    x += canvas.width + 12 * scale;
  }
  all.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
