/** Keys work while the viewer has the focus or the pointer, and never while someone is typing. */

export interface KeyActions {
  play(): void;
  step(frames: number): void;
  ghost(): void;
  trails(): void;
  follow(): void;
  resetCamera(): void;
  help(): void;
  generation(step: -1 | 1): void;
}

/** Listen until the returned function is called. */
export function listenForKeys(root: HTMLElement, actions: KeyActions): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const focused = root.contains(document.activeElement);
    if (!focused && (!root.matches(":hover") || isTyping(document.activeElement))) return;
    if (!actOn(event, focused, actions)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  // Before the page's own keys: inside the viewer they mean what the viewer says.
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}

function actOn(event: KeyboardEvent, focused: boolean, actions: KeyActions): boolean {
  switch (event.key) {
    case " ":
      // A button that was reached by keyboard is pressed by space.
      if (document.activeElement instanceof HTMLButtonElement) return false;
      actions.play();
      return true;
    case ",":
      actions.step(-1);
      return true;
    case ".":
      actions.step(1);
      return true;
    case "g":
      actions.ghost();
      return true;
    case "t":
      actions.trails();
      return true;
    case "f":
      actions.follow();
      return true;
    case "r":
      actions.resetCamera();
      return true;
    case "?":
      actions.help();
      return true;
    case "ArrowLeft":
    case "ArrowRight":
      if (!focused) return false;
      actions.generation(event.key === "ArrowLeft" ? -1 : 1);
      return true;
    default:
      return false;
  }
}

function isTyping(node: Element | null): boolean {
  if (!(node instanceof HTMLElement)) return false;
  return node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName);
}
