/** The viewer's style sheet: one element, one prefix, nothing outside `.lsv-root`. */

import { GUTTER_LEFT_PX, GUTTER_RIGHT_PX } from "./strip";

const ID = "lsv-style";

export function injectStyle(): void {
  if (document.getElementById(ID) !== null) return;
  const node = document.createElement("style");
  node.id = ID;
  node.textContent = CSS;
  document.head.append(node);
}

/** Said three times, because the page around styles buttons and text with selectors that are hard to beat. */
const ROOT = ".lsv-root.lsv-root.lsv-root";

const CSS = `
${ROOT} {
  --lsv-text: #1F2733; --lsv-soft: #586474; --lsv-line: #D3D9E0; --lsv-paper: #FFFFFF; --lsv-press: #E6EEF7;
  --lsv-accent: #005A94; --lsv-view: #EEF1F5; --lsv-alarm: #A8005C; --lsv-veil: rgba(255,255,255,.9);
  position: relative; display: block; box-sizing: border-box; width: 100%; min-width: 0; color: var(--lsv-text);
  font: 13px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; text-align: left;
  outline: none;
}
${ROOT}[data-theme="dark"] {
  --lsv-text: #E6EAF0; --lsv-soft: #A3AEBD; --lsv-line: #3A424F; --lsv-paper: #12161C; --lsv-press: #22364A;
  --lsv-accent: #7CC4F5; --lsv-view: #171B22; --lsv-alarm: #FF7AB8; --lsv-veil: rgba(18,22,28,.88);
}
${ROOT}[data-forced] { background: var(--lsv-paper); }
${ROOT} * { box-sizing: border-box; color: inherit; }
${ROOT} [hidden] { display: none !important; }
${ROOT} .lsv-message { padding: 56px 24px; text-align: center; color: var(--lsv-soft); font-size: 14px;
  border: 1px dashed var(--lsv-line); border-radius: 8px; }
${ROOT} .lsv-panes { position: relative; }
${ROOT} .lsv-grid { display: grid; gap: 12px; position: relative; }
${ROOT} .lsv-canvas { position: absolute; left: 0; top: 0; pointer-events: none; display: block; max-width: none; }
${ROOT} .lsv-pane { min-width: 0; margin: 0; padding: 0; }
${ROOT} .lsv-head { height: 42px; overflow: hidden; padding: 0 2px 4px; }
${ROOT} .lsv-head-line { display: flex; align-items: center; gap: 7px; min-width: 0; }
${ROOT} .lsv-swatch { flex: none; width: 12px; height: 12px; border-radius: 3px; }
${ROOT} .lsv-title { font-weight: 600; font-size: 14px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
${ROOT} .lsv-status { flex: none; margin-left: auto; font-size: 11.5px; padding: 0 7px; border-radius: 9px;
  border: 1px solid var(--lsv-line); color: var(--lsv-soft); }
${ROOT} .lsv-status[data-status="rejected"] { color: var(--lsv-alarm); border-color: var(--lsv-alarm); }
${ROOT} .lsv-subtitle { color: var(--lsv-soft); font-size: 12.5px; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
${ROOT} .lsv-view { position: relative; border-radius: 2px; overflow: hidden; cursor: grab;
  box-shadow: inset 0 0 0 1px var(--lsv-line); z-index: 1; user-select: none; -webkit-user-select: none; }
${ROOT} .lsv-view:active { cursor: grabbing; }
${ROOT} .lsv-sentence { position: absolute; inset: 0; display: flex; align-items: center; justify-content: center;
  padding: 24px; text-align: center; color: var(--lsv-text); font-size: 14px; }
${ROOT} .lsv-banner { position: absolute; left: 0; right: 0; top: 0; padding: 7px 14px; text-align: center;
  background: var(--lsv-veil); color: var(--lsv-alarm); font-weight: 600; border-bottom: 2px solid var(--lsv-alarm);
  max-height: 60%; overflow: auto; overflow-wrap: anywhere; }
${ROOT} .lsv-note { position: absolute; left: 8px; right: 8px; bottom: 8px; padding: 3px 8px; border-radius: 5px;
  background: var(--lsv-veil); color: var(--lsv-soft); font-size: 12px; width: fit-content; max-width: calc(100% - 16px); }
${ROOT} .lsv-axes { position: absolute; right: 8px; top: 50px; width: 46px; height: 46px; z-index: 2;
  pointer-events: none; overflow: visible; }
${ROOT} .lsv-axes line { stroke-width: 1.6; stroke: var(--lsv-soft); }
${ROOT} .lsv-axes text { font-size: 10px; fill: var(--lsv-soft); text-anchor: middle; dominant-baseline: central; }
${ROOT} .lsv-hint { position: absolute; left: 50%; top: 54px; transform: translateX(-50%); z-index: 2;
  padding: 3px 10px; border-radius: 5px; background: var(--lsv-veil); color: var(--lsv-text); pointer-events: none;
  opacity: 0; transition: opacity .2s; }
${ROOT} .lsv-hint.lsv-on { opacity: 1; }
${ROOT} .lsv-controls { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 12px; margin: 10px 0 6px; }
${ROOT} .lsv-group { display: flex; gap: 5px; }
${ROOT} .lsv-joined { gap: 0; }
${ROOT} .lsv-last { margin-left: auto; }
${ROOT} .lsv-btn { appearance: none; margin: 0; height: 30px; min-width: 30px; padding: 0 10px; cursor: pointer;
  display: inline-flex; align-items: center; justify-content: center; font: inherit; font-weight: 500; line-height: 1;
  color: var(--lsv-text); background: var(--lsv-paper); border: 1px solid var(--lsv-line); border-radius: 6px;
  box-shadow: none; }
${ROOT} .lsv-btn:hover:not(:disabled) { border-color: var(--lsv-soft); }
${ROOT} .lsv-btn:disabled { cursor: default; opacity: .45; }
${ROOT} .lsv-btn[aria-pressed="true"], ${ROOT} .lsv-btn[aria-expanded="true"] { background: var(--lsv-press);
  color: var(--lsv-accent); border-color: var(--lsv-accent); position: relative; z-index: 1; }
${ROOT} .lsv-seg { border-radius: 0; margin-left: -1px; min-width: 38px; padding: 0 6px; }
${ROOT} .lsv-seg:first-child { border-radius: 6px 0 0 6px; margin-left: 0; }
${ROOT} .lsv-seg:last-child { border-radius: 0 6px 6px 0; }
${ROOT} .lsv-play { width: 42px; padding: 0; background: var(--lsv-accent); border-color: var(--lsv-accent);
  color: var(--lsv-paper); }
${ROOT} .lsv-icon { flex: none; margin: 0; width: 15px; height: 15px; fill: currentColor; display: block; }
${ROOT} :focus-visible { outline: 2px solid var(--lsv-accent); outline-offset: 2px; }
${ROOT}:focus-visible { outline: 2px solid var(--lsv-accent); outline-offset: 4px; border-radius: 4px; }
${ROOT} .lsv-scrub { display: grid; align-items: center; height: 26px;
  grid-template-columns: ${GUTTER_LEFT_PX}px minmax(0, 1fr) ${GUTTER_RIGHT_PX}px; }
${ROOT} .lsv-readout, ${ROOT} .lsv-seconds { font-variant-numeric: tabular-nums; white-space: nowrap; }
${ROOT} .lsv-seconds { padding-left: 14px; color: var(--lsv-soft); }
${ROOT} .lsv-range { appearance: none; -webkit-appearance: none; display: block; height: 20px; padding: 0; border: 0;
  background: transparent; box-shadow: none; cursor: pointer; margin: 0 -8px; width: calc(100% + 16px); }
${ROOT} .lsv-range::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: var(--lsv-line); }
${ROOT} .lsv-range::-moz-range-track { height: 4px; border-radius: 2px; background: var(--lsv-line); }
${ROOT} .lsv-range::-webkit-slider-thumb { -webkit-appearance: none; width: 16px; height: 16px; margin-top: -6px;
  border-radius: 50%; border: 2px solid var(--lsv-paper); background: var(--lsv-accent); }
${ROOT} .lsv-range::-moz-range-thumb { width: 12px; height: 12px; border-radius: 50%; border: 2px solid var(--lsv-paper);
  background: var(--lsv-accent); }
${ROOT} .lsv-facts { min-height: 68px; padding: 5px 2px 0; color: var(--lsv-soft); font-size: 12.5px; line-height: 1.36; }
${ROOT} .lsv-strip { position: relative; margin-top: 6px; }
${ROOT} .lsv-plot-area { position: relative; cursor: ew-resize; touch-action: pan-y; user-select: none;
  -webkit-user-select: none; }
${ROOT} .lsv-row { display: grid; align-items: start; padding-bottom: 6px;
  grid-template-columns: ${GUTTER_LEFT_PX}px minmax(0, 1fr) ${GUTTER_RIGHT_PX}px; }
${ROOT} .lsv-row-canvas { display: block; width: 100%; }
${ROOT} .lsv-row-name { appearance: none; margin: 0; padding: 0 10px 0 0; border: 0; background: none; box-shadow: none;
  height: 28px; display: flex; align-items: center; justify-content: flex-end; gap: 5px; cursor: pointer; min-width: 0;
  font: inherit; font-size: 12px; line-height: 1.15; color: var(--lsv-soft); text-align: right; }
${ROOT} .lsv-row-name:hover { color: var(--lsv-text); }
${ROOT} .lsv-row-title { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
${ROOT} .lsv-chevron { flex: none; width: 6px; height: 6px; margin: -3px 1px 0 2px; transform: rotate(45deg);
  border: solid currentColor; border-width: 0 1.5px 1.5px 0; }
${ROOT} .lsv-row[data-folded] { padding-bottom: 2px; }
${ROOT} .lsv-row[data-folded] .lsv-row-name { height: 18px; }
${ROOT} .lsv-row[data-folded] .lsv-chevron { transform: rotate(-45deg); margin-top: 0; }
${ROOT} .lsv-row[data-folded] .lsv-row-canvas, ${ROOT} .lsv-row[data-folded] .lsv-row-scale { display: none; }
${ROOT} .lsv-row-scale { padding-left: 8px; display: flex; flex-direction: column;
  justify-content: space-between; font-size: 11.5px; line-height: 1.2; color: var(--lsv-soft);
  font-variant-numeric: tabular-nums; cursor: default; }
${ROOT} .lsv-axis { position: relative; height: 16px; font-size: 11.5px; line-height: 16px; }
${ROOT} .lsv-tick { position: absolute; transform: translateX(-50%); white-space: nowrap; color: inherit; }
${ROOT} .lsv-cursor { position: absolute; left: -.75px; top: 0; bottom: 16px; width: 1.5px; background: var(--lsv-text);
  pointer-events: none; }
${ROOT} .lsv-hover { opacity: .35; }
${ROOT} .lsv-tip { position: absolute; left: 0; top: 0; z-index: 3; padding: 5px 9px; border-radius: 6px; pointer-events: none;
  background: var(--lsv-paper); border: 1px solid var(--lsv-line); box-shadow: 0 2px 8px rgba(0,0,0,.18);
  font-size: 12px; white-space: nowrap; font-variant-numeric: tabular-nums; }
${ROOT} .lsv-tip-head { color: var(--lsv-soft); }
${ROOT} .lsv-tip-line { display: flex; align-items: center; gap: 7px; }
${ROOT} .lsv-legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 4px; padding-left: ${GUTTER_LEFT_PX}px;
  color: var(--lsv-soft); font-size: 12px; }
${ROOT} .lsv-legend-entry { display: inline-flex; align-items: center; gap: 6px; }
${ROOT} .lsv-sign { flex: none; width: 16px; height: 0; border-top: 2px solid currentColor; }
${ROOT} .lsv-sign-stance { height: 4px; border: 0; background: currentColor; }
${ROOT} .lsv-sign-rejected { width: 0; height: 13px; border: 0; border-left: 2px dashed #E6007E; }
${ROOT} .lsv-help { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 4px 20px;
  margin: 4px 0 8px; padding: 10px 12px; border: 1px solid var(--lsv-line); border-radius: 8px; }
${ROOT} .lsv-help-entry { display: flex; gap: 10px; color: var(--lsv-text); }
${ROOT} .lsv-kbd { flex: none; width: 52px; font: 600 12px/1.5 ui-monospace, monospace; color: var(--lsv-accent);
  background: none; border: 0; padding: 0; box-shadow: none; }
@media (prefers-reduced-motion: reduce) { ${ROOT} .lsv-hint { transition: none; } }
`;
