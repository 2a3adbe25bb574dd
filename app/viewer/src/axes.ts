/** The axes hint in the corner: three letters that turn with the camera. */

import * as THREE from "three";

const SVG = "http://www.w3.org/2000/svg";
const CENTER = 23;
const ARM = 14;

export class AxesHint {
  readonly root = document.createElementNS(SVG, "svg");
  private readonly arms: { axis: THREE.Vector3; line: SVGLineElement; text: SVGTextElement }[];

  constructor() {
    this.root.setAttribute("viewBox", "0 0 46 46");
    this.root.setAttribute("aria-hidden", "true");
    this.root.classList.add("lsv-axes");
    this.arms = (["x", "y", "z"] as const).map((name, i) => {
      const line = document.createElementNS(SVG, "line");
      const text = document.createElementNS(SVG, "text");
      text.textContent = name;
      this.root.append(line, text);
      return { axis: new THREE.Vector3().setComponent(i, 1), line, text };
    });
  }

  turn(camera: THREE.Camera): void {
    for (const { axis, line, text } of this.arms) {
      const seen = axis.clone().transformDirection(camera.matrixWorldInverse);
      const place = (node: SVGElement, x: string, y: string, reach: number): void => {
        node.setAttribute(x, (CENTER + seen.x * reach).toFixed(1));
        node.setAttribute(y, (CENTER - seen.y * reach).toFixed(1));
      };
      place(line, "x1", "y1", 0);
      place(line, "x2", "y2", ARM);
      place(text, "x", "y", ARM + 6);
    }
  }
}
