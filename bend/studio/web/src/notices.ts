// Words to whoever plays, read aloud too: most pass, some stand as long as what they say.

import { h } from "./dom";

const PASSING_MS = 6000;
const MOST = 3;

export class Notices {
  readonly root = h("div", { class: "notices", role: "status", "aria-live": "polite" });
  private readonly standing = new Map<string, HTMLElement>();
  /** The last frame before there was no picture. */
  private lastFrame = 0;

  say(text: string): void {
    const passing = [...this.root.children].filter((note) => ![...this.standing.values()].includes(note as HTMLElement));
    if (passing.at(-1)?.textContent === text) return;
    if (passing.length === MOST) passing[0]!.remove();
    const note = this.add(text);
    window.setTimeout(() => note.remove(), PASSING_MS);
  }

  /** Have something said about a matter until there is something else to say about it, or nothing any more. */
  stand(matter: string, text: string | null): void {
    const before = this.standing.get(matter);
    if (before?.textContent === text) return;
    before?.remove();
    this.standing.delete(matter);
    if (text !== null) this.standing.set(matter, this.add(text));
  }

  /** Say why no picture comes after that frame, until one does. */
  noPicture(text: string, frame: number): void {
    this.lastFrame = frame;
    this.stand("picture", text);
  }

  /** That frame has come. */
  pictured(frame: number): void {
    if (frame > this.lastFrame) this.stand("picture", null);
  }

  private add(text: string): HTMLElement {
    const note = h("p", { class: "notice" }, text);
    this.root.append(note);
    return note;
  }
}
