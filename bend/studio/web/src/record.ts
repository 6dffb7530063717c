// The record button: shows what was pressed at once, and goes by it; frames that were drawn before say nothing about it.

import type { Words } from "./connection";
import { h } from "./dom";

/** After a press, frames that were drawn before it are still on their way. */
const PRESS_HOLDS_MS = 1000;
const TICK_MS = 100;
const NAME_STAYS_MS = 4000;

export class RecordButton {
  private readonly time = h("span", { class: "record-time", "aria-live": "off" });
  readonly root = h(
    "button",
    { type: "button", class: "record", "aria-pressed": "false", "aria-label": "Record what is played", title: "Record what is played (R)", onclick: () => this.press() },
    h("span", { class: "record-dot" }),
    this.time,
  );
  private isOn = false;
  private heldUntil = 0;
  private began = 0;
  private clock = 0;

  constructor(
    private readonly say: (message: { do: string }) => void,
    private readonly lag: () => number,
  ) {}

  press(): void {
    if (this.root.disabled) return;
    this.say({ do: this.isOn ? "end-record" : "record" });
    this.heldUntil = performance.now() + PRESS_HOLDS_MS + 2 * this.lag();
    this.show(!this.isOn);
  }

  /** What a frame says: it was drawn so many seconds after the recording began. */
  update(isOn: boolean, seconds: number): void {
    if (isOn !== this.isOn && performance.now() < this.heldUntil) return;
    if (isOn !== this.isOn) this.show(isOn);
    this.began = performance.now() - seconds * 1000;
  }

  /** Nothing can be recorded where nobody hears of it. */
  set isLost(isLost: boolean) {
    this.root.disabled = isLost;
    if (isLost) this.show(false);
  }

  kept(words: Words): void {
    if (this.isOn) return; // another one is being recorded already
    this.time.textContent = (words["names"] as string[]).join(", ");
    window.setTimeout(() => !this.isOn && (this.time.textContent = ""), NAME_STAYS_MS);
  }

  private show(isOn: boolean): void {
    this.isOn = isOn;
    this.root.setAttribute("aria-pressed", String(isOn));
    this.time.textContent = "";
    this.began = performance.now();
    clearInterval(this.clock);
    // The label goes on where nothing moves, and no frames come.
    if (isOn) this.clock = window.setInterval(() => (this.time.textContent = `${((performance.now() - this.began) / 1000).toFixed(1)} s`), TICK_MS);
  }
}
