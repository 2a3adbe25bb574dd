/** Motions by url: one request each, the most recently used kept, neighbours fetched when idle. */

import { decodeMotion, type Motion, MotionError } from "./motion";

/** A motion is a few hundred kB at most, so this is some 20 MB. */
const MOST_KEPT = 48;

export class MotionStore {
  private readonly kept = new Map<string, Motion>();
  private readonly underway = new Map<string, Promise<Motion>>();
  private wanted: string[] = [];
  private prefetching = false;
  private closed = false;

  /** The motion if it is here already. */
  peek(url: string): Motion | null {
    const motion = this.kept.get(url);
    if (motion === undefined) return null;
    this.kept.delete(url);
    this.kept.set(url, motion);
    return motion;
  }

  /** The motion, fetched if need be. Rejects with an Error whose message is a sentence. */
  get(url: string): Promise<Motion> {
    const here = this.peek(url);
    if (here !== null) return Promise.resolve(here);
    const running = this.underway.get(url);
    if (running !== undefined) return running;
    const request = fetchMotion(url)
      .then((motion) => {
        this.keep(url, motion);
        return motion;
      })
      .finally(() => this.underway.delete(url));
    this.underway.set(url, request);
    return request;
  }

  /** Replace the list of urls to fetch in idle moments. */
  prefetch(urls: readonly string[]): void {
    this.wanted = urls.slice(0, MOST_KEPT / 2).filter((url) => !this.kept.has(url));
    if (!this.prefetching) void this.fetchWanted();
  }

  close(): void {
    this.closed = true;
    this.wanted = [];
    this.kept.clear();
  }

  private async fetchWanted(): Promise<void> {
    this.prefetching = true;
    while (this.wanted.length > 0 && !this.closed) {
      await idle();
      // What the person is looking at goes first.
      if (this.underway.size > 0) await Promise.allSettled(this.underway.values());
      const url = this.wanted.shift();
      // A prefetch that fails is no news: the pane that needs the motion will ask again and say so.
      if (url !== undefined) await this.get(url).catch(() => undefined);
    }
    this.prefetching = false;
  }

  private keep(url: string, motion: Motion): void {
    if (this.closed) return;
    this.kept.set(url, motion);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST_KEPT) break;
      this.kept.delete(oldest);
    }
  }
}

async function fetchMotion(url: string): Promise<Motion> {
  let response: Response;
  try {
    response = await fetch(url, { headers: { Accept: "application/octet-stream" } });
  } catch {
    const words = "This motion could not be loaded: the server does not answer.";
    throw new Error(`${words} It is tried again when you choose it again.`);
  }
  if (!response.ok) {
    const why = response.status === 404 ? "It does not exist, or not any more." : "Look at the server's log.";
    throw new Error(`This motion could not be loaded (${response.status}). ${why}`);
  }
  try {
    return decodeMotion(await response.arrayBuffer());
  } catch (error) {
    const why = error instanceof MotionError ? error.message : "The transfer broke off.";
    throw new Error(`This motion could not be read. ${why}`);
  }
}

function idle(): Promise<void> {
  return new Promise((resolve) => {
    if ("requestIdleCallback" in window) window.requestIdleCallback(() => resolve(), { timeout: 2000 });
    else setTimeout(resolve, 200);
  });
}
