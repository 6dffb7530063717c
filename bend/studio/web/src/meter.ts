// How fast pictures come, or that none do.

import { h } from "./dom";
import type { Frame } from "./types";

/** Milliseconds over which frames are counted, and after which there are none. */
const SPAN_MS = 1000;

export class Meter {
  readonly root = h("span", { class: "meter", title: "frames a second; gesture to picture" });
  private times: number[] = [];
  private timer = 0;

  frame({ size }: Frame, lag: number): void {
    const now = performance.now();
    this.times = [...this.times.filter((time) => now - time < SPAN_MS), now];
    this.show(`${size[0]}px ${this.times.length}/s ${Math.round(lag)}ms`);
    this.timer = window.setTimeout(() => this.show(`${size[0]}px at rest`), SPAN_MS);
  }

  lost(): void {
    this.show("lost", true);
  }

  private show(text: string, isLost = false): void {
    clearTimeout(this.timer);
    this.root.textContent = text;
    this.root.classList.toggle("is-lost", isLost);
  }
}
