/** Entry: `import("/viewer/main.js").then((m) => m.mount(box)).then((viewer) => viewer.show(spec))`. */

import * as THREE from "three";

import { element } from "./dom";
import { injectStyle } from "./style";
import { MotionViewer, type Viewer } from "./viewer";

export type { PaneSpec, Spec } from "./spec";
export type { Viewer } from "./viewer";

const mounted = new WeakMap<HTMLElement, MotionViewer>();

/** Put a viewer into `container`. The same container gives the same viewer as long as it is there. */
export function mount(container: HTMLElement): Viewer {
  const there = mounted.get(container);
  if (there?.isMounted) return there;
  there?.destroy();
  const drawing = newRenderer();
  if (drawing === null) return wordsInstead(container);
  const viewer = new MotionViewer(container, drawing.renderer, drawing.isSoftware);
  mounted.set(container, viewer);
  return viewer;
}

function newRenderer(): { renderer: THREE.WebGLRenderer; isSoftware: boolean } | null {
  const isSoftware = drawsInSoftware();
  const canvas = element("canvas", "");
  const settings = { antialias: !isSoftware, alpha: true, preserveDrawingBuffer: true };
  // three.js logs an error where there is no WebGL; that case is a sentence here.
  const context = canvas.getContext("webgl2", settings) as WebGL2RenderingContext | null;
  if (context === null) return null;
  return { renderer: new THREE.WebGLRenderer({ canvas, context, ...settings }), isSoftware };
}

/** Without a graphics card multisampling costs more than all the rest. */
function drawsInSoftware(): boolean {
  const probe = element("canvas", "").getContext("webgl2");
  const info = probe?.getExtension("WEBGL_debug_renderer_info");
  const name = probe && info ? String(probe.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  probe?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

function wordsInstead(container: HTMLElement): Viewer {
  injectStyle();
  const root = element("div", "lsv-root");
  const words =
    "This browser offers no WebGL 2, which the figures need. Switch on hardware acceleration in its settings, " +
    "or open this page in another browser. Downloads of the motions work as they are.";
  root.append(element("div", "lsv-message", words));
  container.append(root);
  return { show: () => undefined, destroy: () => root.remove() };
}
