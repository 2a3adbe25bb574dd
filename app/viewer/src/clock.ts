/** The one clock of all panes. Seconds; knows nothing of the screen. */

export const SPEEDS = [0.25, 0.5, 1, 2] as const;

export class Clock {
  time = 0;
  speed = 1;
  loop = true;
  playing = false;
  private fps = 20;
  private lastFrame = 0;

  /** Seconds of the longest motion. */
  get duration(): number {
    return this.lastFrame / this.fps;
  }

  get frames(): number {
    return this.lastFrame + 1;
  }

  get frame(): number {
    return Math.min(Math.floor(this.time * this.fps + 1e-6), this.lastFrame);
  }

  /** The frame with its fraction. */
  get position(): number {
    return Math.min(this.time * this.fps, this.lastFrame);
  }

  /** New motions: position, speed and state stay as far as they fit. */
  fit(duration: number, fps: number): void {
    this.fps = fps;
    this.lastFrame = Math.max(Math.round(duration * fps), 0);
    this.time = Math.min(this.time, this.duration);
  }

  /** Move on by `dt` seconds of wall time. Looping shows the last frame as long as any other. */
  advance(dt: number): void {
    if (!this.playing || this.lastFrame === 0) return;
    this.time += dt * this.speed;
    if (this.loop) {
      this.time %= this.frames / this.fps;
    } else if (this.time >= this.duration) {
      this.time = this.duration;
      this.playing = false;
    }
  }

  toggle(): void {
    this.playing = !this.playing;
    if (this.playing && !this.loop && this.time >= this.duration) this.time = 0;
  }

  seek(time: number): void {
    this.time = Math.min(Math.max(time, 0), this.duration);
  }

  seekFrame(frame: number): void {
    this.seek(frame / this.fps);
  }

  /** Stop and go to a neighbouring frame. */
  step(frames: number): void {
    this.playing = false;
    this.seekFrame(this.frame + frames);
  }
}
