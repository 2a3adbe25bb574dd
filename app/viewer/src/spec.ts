/** What the page asks the viewer to show. */

export type ThemeName = "light" | "dark" | "auto";

export interface PaneSpec {
  readonly id: string;
  readonly title: string;
  readonly subtitle: string;
  /** #rrggbb */
  readonly color: string;
  readonly url: string | null;
  readonly ghost_url: string | null;
  readonly ghost_color: string;
  readonly note: string | null;
  /** What was done to the motion, in sentences below the pane; null leaves no room for them. */
  readonly facts: string | null;
}

export interface Spec {
  readonly panes: readonly PaneSpec[];
  /** Sentence for the empty state. */
  readonly message: string | null;
  readonly theme: ThemeName;
  /** Urls that are likely to be asked for next. */
  readonly prefetch: readonly string[];
  /** Frame to begin with; read at the first show only. */
  readonly frame: number | null;
  /** Camera position and target (x, y, z, x, y, z); read at the first show only. */
  readonly camera: readonly number[] | null;
}

export const MOST_PANES = 4;
const EMPTY_MESSAGE = "Nothing to show yet. Choose a loop, a generation and a sample above.";
const DEFAULT_COLOR = "#6B7280";
const DEFAULT_GHOST_COLOR = "#D55E00";

/** Read a spec given as an object, as JSON or as null. What cannot be read becomes an empty state in words. */
export function parseSpec(input: unknown): Spec {
  let value = input;
  if (typeof value === "string" && value.trim() !== "") {
    try {
      value = JSON.parse(value);
    } catch {
      return empty("The page sent something that the viewer cannot read.");
    }
  }
  if (!isRecord(value)) return empty(null);
  const panes = Array.isArray(value.panes) ? value.panes.filter(isRecord).slice(0, MOST_PANES) : [];
  const { theme, frame, camera, prefetch } = value;
  return {
    panes: panes.map(paneOf),
    message: text(value.message) ?? EMPTY_MESSAGE,
    theme: theme === "light" || theme === "dark" ? theme : "auto",
    prefetch: Array.isArray(prefetch) ? prefetch.filter((url): url is string => typeof url === "string") : [],
    frame: typeof frame === "number" && Number.isFinite(frame) ? frame : null,
    camera: Array.isArray(camera) && camera.length === 6 && camera.every(Number.isFinite) ? camera : null,
  };
}

function paneOf(raw: Record<string, unknown>, index: number): PaneSpec {
  return {
    id: text(raw.id) ?? `pane-${index}`,
    title: text(raw.title) ?? "",
    subtitle: text(raw.subtitle) ?? "",
    color: color(raw.color) ?? DEFAULT_COLOR,
    url: text(raw.url),
    ghost_url: text(raw.ghost_url),
    ghost_color: color(raw.ghost_color) ?? DEFAULT_GHOST_COLOR,
    note: text(raw.note),
    facts: text(raw.facts),
  };
}

function empty(message: string | null): Spec {
  return { panes: [], message: message ?? EMPTY_MESSAGE, theme: "auto", prefetch: [], frame: null, camera: null };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function color(value: unknown): string | null {
  return typeof value === "string" && /^#[0-9a-f]{6}$/i.test(value) ? value : null;
}
