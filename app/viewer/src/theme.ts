/** Light or dark: as told, else as the page (`.dark` on html or body), else as the system. */

import type { ThemeName } from "./spec";

export type Theme = "light" | "dark";

export class ThemeWatch {
  private wanted: ThemeName = "auto";
  private current: Theme = "light";
  private readonly system = window.matchMedia("(prefers-color-scheme: dark)");
  private readonly observer: MutationObserver;
  private readonly check = (): void => this.update();

  constructor(private readonly onChange: (theme: Theme) => void) {
    this.observer = new MutationObserver(this.check);
    for (const node of [document.documentElement, document.body]) {
      this.observer.observe(node, { attributes: true, attributeFilter: ["class"] });
    }
    this.system.addEventListener("change", this.check);
    this.current = this.read();
  }

  get theme(): Theme {
    return this.current;
  }

  /** A theme of its own needs a background of its own. */
  get isForced(): boolean {
    return this.wanted !== "auto";
  }

  want(name: ThemeName): void {
    this.wanted = name;
    this.update();
  }

  dispose(): void {
    this.observer.disconnect();
    this.system.removeEventListener("change", this.check);
  }

  private update(): void {
    const next = this.read();
    if (next === this.current) return;
    this.current = next;
    this.onChange(next);
  }

  private read(): Theme {
    if (this.wanted !== "auto") return this.wanted;
    const classes = [document.documentElement.classList, document.body.classList];
    if (classes.some((list) => list.contains("dark"))) return "dark";
    // A Gradio page without the class is light, whatever the system says.
    const isGradio = document.querySelector("gradio-app, .gradio-container") !== null;
    if (isGradio || classes.some((list) => list.contains("light"))) return "light";
    return this.system.matches ? "dark" : "light";
  }
}
