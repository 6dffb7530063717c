// Chance: pictures of random bends, one of which may be taken, two of which may be bred.

import { h, numberField, panel } from "./dom";
import type { Words } from "./connection";
import type { Store } from "./store";
import type { Module, Patch } from "./types";

interface Chance {
  seed: number;
  modules: Module[];
  picture: string;
}

export class Dice {
  readonly root: HTMLElement;
  private readonly tray = h("div", { class: "tray", role: "group", "aria-label": "Chances" });
  private readonly state = h("p", { class: "hint", role: "status" }, "Random bends of what is played now. What is blank, noise or unchanged is thrown away.");
  private readonly breedButton: HTMLButtonElement;
  private chances: Chance[] = [];
  private parents = new Set<Chance>();
  private num = 64;
  private seed = -1;
  private isRolling = false;
  private readonly rollButton: HTMLButtonElement;

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
  ) {
    this.rollButton = h("button", { type: "button", class: "primary", onclick: () => (this.isRolling ? this.stop() : this.roll()) }, "Roll");
    this.breedButton = h("button", { type: "button", disabled: true, onclick: () => this.breed() }, "Breed two");
    const num = numberField("how many", this.num, (value) => (this.num = value), { min: 1, max: 64, step: 1 });
    this.root = panel("Chance", h("div", { class: "row" }, this.rollButton, this.breedButton, num.root), this.state, this.tray);
  }

  heard(words: Words): void {
    const chance = words as unknown as Chance;
    if (chance.seed !== this.seed) this.empty(chance.seed); // another throw, perhaps of another page
    this.chances.push(chance);
    this.tray.append(this.tile(chance, this.chances.length));
    this.state.textContent = `${this.chances.length} of ${this.num}; tap one to take it, mark two to breed them.`;
  }

  finished(): void {
    this.isRolling = false;
    this.rollButton.textContent = "Roll";
  }

  private roll(parents: Patch[] = []): void {
    this.empty(Math.floor(Math.random() * 2 ** 31));
    this.isRolling = true;
    this.rollButton.textContent = "Stop";
    this.root.scrollIntoView({ block: "nearest" });
    this.state.textContent = "Throwing; what is blank, noise or unchanged is thrown away.";
    this.say({ do: "roll", num: this.num, seed: this.seed, parents });
  }

  private empty(seed: number): void {
    this.seed = seed;
    this.chances = [];
    this.parents.clear();
    this.tray.replaceChildren();
    this.breedButton.disabled = true;
  }

  private stop(): void {
    this.say({ do: "stop-roll" });
    this.finished();
  }

  private breed(): void {
    this.roll([...this.parents].map(({ modules }) => ({ ...this.store.patch, modules })));
  }

  private tile(chance: Chance, number: number): HTMLElement {
    const told = chance.modules.map(({ name, tap }) => `${name} at ${tap}`).join(", ");
    const take = h(
      "button",
      { type: "button", class: "chance", title: told, "aria-label": `Take ${number}: ${told}`, onclick: () => this.take(chance) },
      h("img", { src: chance.picture, alt: "", width: 96, height: 96, draggable: "false" }),
    );
    const mark = h(
      "button",
      {
        type: "button",
        class: "parent",
        "aria-pressed": "false",
        "aria-label": `Parent ${number}`,
        onclick: () => {
          if (this.parents.has(chance)) this.parents.delete(chance);
          else this.parents.add(chance);
          mark.setAttribute("aria-pressed", String(this.parents.has(chance)));
          this.breedButton.disabled = this.parents.size < 2;
        },
      },
      "♥",
    );
    return h("div", { class: "chance-tile" }, take, mark);
  }

  private take(chance: Chance): void {
    const stamp = Date.now().toString(36);
    const modules = chance.modules.map((module, i) => ({ ...structuredClone(module), key: `${stamp}-${i}` }));
    this.store.take({ ...structuredClone(this.store.patch), modules });
  }
}
