/** Canvas pixels per CSS pixel: fewer while something moves and drawing is slow, more in a picture at rest. */

const MOST = 2;
const LEAST = 1;
const SLOW_FRAME_MS = 55;
const FRAMES_JUDGED = 12;

export class Sharpness {
  moving: number;
  readonly still: number;
  private frames_ms: number[] = [];

  /** Software rendering has no multisampling here: a finer canvas smooths the edges of what stands still. */
  constructor(isSoftware: boolean) {
    const screen = Math.min(window.devicePixelRatio || 1, MOST);
    this.moving = isSoftware ? LEAST : screen;
    this.still = isSoftware ? MOST : screen;
  }

  /** Sharpness goes before smoothness does: judge by the median of the last frames. */
  judge(frame_ms: number): void {
    this.frames_ms.push(frame_ms);
    if (this.frames_ms.length < FRAMES_JUDGED) return;
    const median = this.frames_ms.sort((a, b) => a - b)[FRAMES_JUDGED >> 1];
    this.frames_ms = [];
    if (median > SLOW_FRAME_MS) this.moving = Math.max(this.moving * 0.75, LEAST);
  }
}
