/** The page's own parts: markup that changes without flicker, charts, links that keep the page, the address bar. */

/* ---- markup ------------------------------------------------------------------------------------------------ */

/** Make `node`'s children those of `html`, touching only what differs: focus, scroll, open details survive. */
export function morph(node, html) {
  const wanted = document.createElement("template");
  wanted.innerHTML = html;
  morphChildren(node, wanted.content);
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.dataset?.key ?? null : null;
}

function morphChildren(old, wanted) {
  const keyed = new Map();
  for (const child of old.childNodes) if (keyOf(child) !== null) keyed.set(keyOf(child), child);
  let here = old.firstChild;
  for (const next of [...wanted.childNodes]) {
    const key = keyOf(next);
    const same = key !== null ? keyed.get(key) : here !== null && keyOf(here) === null ? here : undefined;
    if (same !== undefined && sameKind(same, next)) {
      if (same !== here) old.insertBefore(same, here);
      else here = here.nextSibling;
      morphNode(same, next);
    } else {
      old.insertBefore(next, here);
    }
  }
  while (here !== null) {
    const gone = here;
    here = here.nextSibling;
    // What a person chose stays, also where it is no longer offered.
    if (!(gone.nodeName === "OPTION" && gone.selected)) old.removeChild(gone);
  }
}

function sameKind(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName;
}

function morphNode(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // What a person opened stays open.
    if (!wanted.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (name === "open" && old.nodeName === "DETAILS") continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, wanted);
}

/** Markup from the server; elements with `data-act` report their data set (and the form around them) on a click. */
export function live(element, props, trigger, watch) {
  const box = element.querySelector(".ls-live");
  let revealed = "";
  const draw = () => {
    morph(box, String(props.value ?? ""));
    markInvalid(box);
    revealed = reveal(box, revealed);
  };
  draw();
  watch("value", draw);
  box.addEventListener("click", (event) => {
    const target = event.target.closest("[data-act]");
    if (target === null || target.disabled || event.target.closest("a[href]") !== null) return;
    const looks = target.dataset.act === target.closest("[data-form]")?.dataset.look;
    trigger(looks ? "input" : "click", { ...target.dataset, ...typedIn(target) });
  });
  box.addEventListener("change", (event) => {
    // A form that says so asks what is typed in it would mean, whenever that changes: by another event than a click, so
    // that the click that follows (on "Launch", straight from a field) is not lost behind a look that is under way.
    const form = event.target.closest("[data-form][data-look]");
    if (form !== null) trigger("input", { ...form.dataset, act: form.dataset.look, ...typedIn(form) });
  });
  box.addEventListener("keydown", (event) => {
    const target = event.target;
    if (target.matches("tr[data-act]")) {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        target.click();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const rows = [...box.querySelectorAll("tr[data-act]")];
        rows[rows.indexOf(target) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
      }
    }
  });
}

/** Bring into view what the markup asks for, once: `before` is what it asked for last. */
function reveal(box, before) {
  const target = box.querySelector("[data-reveal]");
  const wanted = target?.dataset.reveal ?? "";
  if (wanted !== "" && wanted !== before) requestAnimationFrame(() => target.scrollIntoView({ block: "nearest" }));
  return wanted;
}

function typedIn(target) {
  const form = target.closest("[data-form]");
  if (form === null) return {};
  return Object.fromEntries([...form.querySelectorAll("input[name], select[name]")].map((input) => [input.name, input.value]));
}

/** The status line names the field that is wrong; say it beside the field too. */
function markInvalid(box) {
  const status = box.querySelector("[data-status]");
  if (status === null) return;
  for (const field of document.querySelectorAll(".ls-invalid")) {
    if (field.id === status.dataset.invalid) continue;
    field.classList.remove("ls-invalid");
    delete field.dataset.error;
    for (const input of field.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  }
  const field = status.dataset.invalid ? document.getElementById(status.dataset.invalid) : null;
  if (field === null) return;
  field.classList.add("ls-invalid");
  field.dataset.error = status.dataset.message ?? "";
  for (const input of field.querySelectorAll("input, textarea")) input.setAttribute("aria-invalid", "true");
}

/* ---- address bar, links, theme ------------------------------------------------------------------------------- */

let goTo = null;
let currentPage = new URLSearchParams(location.search).get("tab") ?? "launch";

/** The component behind links inside the page: it hears of every `a[data-nav]` and tells the server. */
export function navigation(element, trigger) {
  goTo = (query) => trigger("click", { query });
  element.dataset.ready = "true";
}

/** Keep the address bar at the view that is shown: `value` is its query string. */
export function address(props, watch) {
  const write = () => {
    const query = String(props.value ?? "");
    if (query === "") return;
    const wanted = new URLSearchParams(query);
    const page = wanted.get("tab") ?? "launch";
    const shown = new URLSearchParams(location.search);
    for (const name of ["frame", "camera"]) {
      if (page === "inspect" && shown.get("tab") === "inspect" && shown.has(name)) wanted.set(name, shown.get(name));
    }
    const url = addressOf(wanted);
    if (url === location.pathname + location.search) return;
    if (page === currentPage) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    currentPage = page;
  };
  write();
  watch("value", write);
}

function addressOf(query) {
  return `${location.pathname}?${String(query).replaceAll("%2C", ",").replaceAll("%3A", ":")}`;
}

/** Add to, or take from, the address of the Inspect page what the viewer alone knows. */
function remember(name, value) {
  const query = new URLSearchParams(location.search);
  if (query.get("tab") !== "inspect" || query.get(name) === value) return;
  if (value === null) query.delete(name);
  else query.set(name, value);
  history.replaceState(null, "", addressOf(query));
}

export function start() {
  if (window.loopscopeStarted) return;
  window.loopscopeStarted = true;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-nav]");
    if (link && goTo !== null && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      goTo(new URL(link.href).search.slice(1));
    }
    if (event.target.closest?.("[data-theme-toggle]")) setTheme(isDark() ? "light" : "dark");
    const copy = event.target.closest?.("[data-copy-link]");
    if (copy) {
      navigator.clipboard?.writeText(location.href).then(() => {
        const label = copy.textContent;
        copy.textContent = "Link copied";
        setTimeout(() => (copy.textContent = label), 1500);
      });
    }
  });
  window.addEventListener("popstate", () => location.reload());
  const wanted = new URLSearchParams(location.search).get("__theme") ?? readTheme();
  if (wanted) applyTheme(wanted);
}

function isDark() {
  return document.body.classList.contains("dark");
}

function readTheme() {
  try {
    return localStorage.getItem("loopscope-theme");
  } catch {
    return null;
  }
}

function setTheme(name) {
  applyTheme(name);
  try {
    localStorage.setItem("loopscope-theme", name);
  } catch {
    // A browser that keeps nothing still changes now.
  }
}

function applyTheme(name) {
  document.body.classList.toggle("dark", name === "dark");
}

/* ---- viewer -------------------------------------------------------------------------------------------------- */

/** The 3-D panes: one mount per component, fed by `value`. */
export function viewer(element, props, trigger, watch, source) {
  const box = element.querySelector(".ls-viewer");
  let ready = null; // loaded with the first motion: loops of other things never need it
  const load = () => {
    ready = import(source).then((module) => module.mount(box));
    ready.catch(() => {
      box.textContent = "The 3-D viewer is not built. Run ./scripts/setup once; downloads work without it.";
    });
  };
  const show = () => {
    box.hidden = Boolean(props.value?.hidden);
    if (ready === null && (box.hidden || !props.value)) {
      if (!box.hidden) import(source).catch(() => undefined); // on its way before it is wanted
      return;
    }
    if (ready === null) load();
    ready.then((view) => view.show(props.value)).catch(() => undefined);
  };
  show();
  watch("value", show);
  box.addEventListener("loopscope:generation", (event) => trigger("select", { step: Number(event.detail) }));
  // A frame is worth a place in the address when the person stopped at it.
  box.addEventListener("loopscope:frame", ({ detail }) => {
    remember("frame", detail.playing ? null : String(detail.frame));
  });
  let settled = 0;
  box.addEventListener("loopscope:camera", ({ detail }) => {
    clearTimeout(settled);
    const numbers = Array.isArray(detail) ? detail : detail?.camera;
    if (!Array.isArray(numbers)) return;
    settled = setTimeout(() => remember("camera", numbers.map((n) => Number(n.toFixed(2))).join(",")), 300);
  });
}

/* ---- charts -------------------------------------------------------------------------------------------------- */

let plotly = null;

function loadPlotly(source) {
  plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("The chart library did not load."));
    document.head.append(script);
  });
  return plotly;
}

/** Small multiples: `value` is `{charts: [{key, title, info, data, layout, notes}], empty}`; `notes` are sentences below
 *  a chart, `{colour, title, text, detail}`, and give it the room of two. */
export function charts(element, props, watch, source) {
  const box = element.querySelector(".ls-charts");
  let drawing = Promise.resolve();
  const draw = () => {
    drawing = drawing.then(() => drawAll(box, props.value, source)).catch((error) => {
      box.textContent = error.message;
    });
  };
  draw();
  watch("value", draw);
  new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(box.clientWidth - width) < 2) return;
    width = box.clientWidth;
    for (const plot of box.querySelectorAll(".js-plotly-plot")) if (plot.clientWidth > 0) window.Plotly?.Plots.resize(plot);
  }).observe(box);
}

/** Sentences below a chart, written anew only where they changed. */
function writeNotes(card, notes) {
  const said = JSON.stringify(notes);
  if ((card.dataset.notes ?? "[]") === said) return;
  card.dataset.notes = said;
  card.querySelector(".ls-notes")?.remove();
  if (notes.length === 0) return;
  const list = document.createElement("ul");
  list.className = "ls-notes";
  for (const note of notes) {
    const item = document.createElement("li");
    item.title = note.detail;
    if (note.title) {
      const mark = document.createElement("i");
      mark.className = "ls-arm";
      mark.style.setProperty("--arm", note.colour);
      const name = document.createElement("b");
      name.textContent = note.title;
      item.append(mark, name, " ");
    }
    item.append(note.text);
    list.append(item);
  }
  card.append(list);
}

async function drawAll(box, value, source) {
  const wanted = value?.charts ?? [];
  const empty = wanted.length === 0 && value?.empty ? `<p class="ls-empty" data-key="empty"></p>` : "";
  const frames = wanted.map((chart) => {
    const card = document.createElement("section");
    card.className = "ls-chart";
    card.dataset.key = chart.key;
    card.innerHTML = `<h4 tabindex="0"></h4><p class="ls-chart-sub"></p>`;
    card.querySelector("h4").textContent = chart.title;
    card.querySelector("h4").title = chart.info;
    card.querySelector("p").textContent = chart.subtitle;
    card.querySelector("p").title = chart.info;
    return card;
  });
  const plots = new Map();
  for (const card of box.querySelectorAll(".ls-chart")) plots.set(card.dataset.key, card);
  const order = [];
  for (const frame of frames) {
    const chart = wanted[order.length];
    const there = plots.get(frame.dataset.key);
    if (there) {
      for (const name of ["h4", "p"]) {
        const [now, next] = [there.querySelector(name), frame.querySelector(name)];
        if (now.textContent !== next.textContent) now.textContent = next.textContent;
        now.title = next.title;
      }
      order.push(there);
    } else {
      const area = document.createElement("div");
      area.className = "ls-plot";
      frame.append(area);
      order.push(frame);
    }
    const card = order.at(-1);
    card.classList.toggle("ls-tall", Boolean(chart.notes?.length));
    card.querySelector(".ls-plot").style.height = `${chart.layout.height}px`;
    writeNotes(card, chart.notes ?? []);
  }
  const placed = [...box.children];
  if (placed.length !== order.length || placed.some((card, i) => card !== order[i])) box.replaceChildren(...order);
  if (empty) {
    box.innerHTML = empty;
    box.firstChild.textContent = value.empty;
    return;
  }
  if (wanted.length === 0) return;
  const Plotly = await loadPlotly(source);
  const style = getComputedStyle(document.body);
  const ink = style.getPropertyValue("--body-text-color").trim() || "#333";
  const faint = style.getPropertyValue("--ls-grid").trim() || "#ddd";
  const card = style.getPropertyValue("--ls-card").trim() || "#fff";
  for (const [index, chart] of wanted.entries()) {
    const area = order[index].querySelector(".ls-plot");
    const layout = structuredClone(chart.layout);
    Object.assign(layout, { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true });
    layout.font = { ...layout.font, color: ink };
    layout.hoverlabel = { bgcolor: card, bordercolor: faint, font: { color: ink, size: 12 } };
    for (const axis of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
      layout[axis] = { ...layout[axis], gridcolor: faint, linecolor: faint, zerolinecolor: faint, tickcolor: faint };
    }
    const config = { displaylogo: false, responsive: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
    const data = structuredClone(chart.data);
    for (const trace of data) {
      for (const part of [trace.line, trace.marker]) if (part?.color === "ink") part.color = ink;
    }
    await Plotly.react(area, data, layout, config);
    if (!area.dataset.heard) {
      area.dataset.heard = "true";
      area.on("plotly_click", (event) => {
        const point = event.points.find((p) => p.data.meta?.loop);
        if (point === undefined) return;
        const generation = Math.round(point.x) - (point.data.meta.shift ?? 0);
        goTo?.(`tab=inspect&loop=${point.data.meta.loop}&generation=${generation}`);
      });
    }
  }
}
