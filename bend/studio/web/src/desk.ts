// The desk: the dial with a fader a resolution, the timeline of a run, truncation and noise, and which network.

import { choice, fill, h, panel } from "./dom";
import { knob } from "./knob";
import { param, type Param } from "./param";
import type { Store } from "./store";

const LOW = -0.5;
const HIGH = 1.5;

export class Desk {
  readonly dial: HTMLElement;
  readonly look: HTMLElement;
  private readonly faders = h("div", { class: "faders" });
  private readonly timelineBox = h("div", { class: "timeline" });
  private timeline: Param | null = null;
  private readonly wholeParam: Param;
  private drawnFor = "";

  constructor(private readonly store: Store) {
    const base = choice("from", [], "", (value) => store.change((patch) => (patch.dial.base = value || null)));
    const whole = knob("Dial: 0 the base, 1 as bent", LOW, HIGH, 1, (value) => this.turn(value));
    this.wholeParam = param({
      id: "dial",
      label: "whole",
      name: "dial",
      low: LOW,
      high: HIGH,
      step: 0.01,
      rest: 1,
      get: () => (this.layers() ? String(this.middle()) : store.patch.dial.amount),
      set: (text, passing) => store.change((patch) => (patch.dial.amount = text), passing),
    });
    this.dial = panel(
      "Dial",
      h("div", { class: "dial-row" }, h("div", { class: "dial-knob" }, whole.root, h("div", { class: "knob-ends", "aria-hidden": "true" }, h("span", {}, "base"), h("span", {}, "bent"))), this.faders),
      this.wholeParam.root,
      base.root,
      this.timelineBox,
    );
    this.dial.classList.add("dial");
    const lonely = h("p", { class: "hint" }, "The dial turns between two networks, one bent from the other: train one, or name it with --also.");
    this.dial.insertBefore(lonely, this.timelineBox);

    const network = choice("network", [], "", (value) => this.open(value));
    const weights = choice(
      "weights",
      [
        ["ema", "averaged"],
        ["raw", "raw"],
      ],
      store.patch.weights,
      (value) => store.change((patch) => (patch.weights = value)),
    );
    const noise = choice(
      "noise",
      [
        ["const", "its own"],
        ["random", "boiling"],
        ["none", "none"],
      ],
      store.patch.noise_mode,
      (value) => store.change((patch) => (patch.noise_mode = value)),
    );
    const classes = choice("class", [], "", (value) => store.change((patch) => (patch.class_index = Number(value))));
    const trunc = param({
      id: "trunc",
      label: "truncation",
      low: -1,
      high: 2,
      step: 0.01,
      hardLow: -20,
      hardHigh: 20,
      rest: 1,
      get: () => store.patch.trunc,
      set: (text, passing) => store.change((patch) => (patch.trunc = text), passing),
    });
    this.look = panel("Look", network.root, trunc.root, h("div", { class: "row" }, noise.root, weights.root, classes.root));

    const refresh = (): void => {
      const { standing } = store.shelf;
      fill(network.select, standing.map(({ name, title }) => [name, title]), store.patch.network);
      const others = standing.filter(({ name }) => name !== store.patch.network);
      lonely.hidden = others.length > 0;
      base.root.hidden = others.length === 0;
      fill(base.select, [["", "no dial"], ...others.map(({ name, title }): [string, string] => [name, title])], store.patch.dial.base ?? "");
    };
    store.on("shelf", refresh);
    store.on("graph", () => {
      const { classes: num } = store.graph;
      classes.root.hidden = num === 0;
      fill(classes.select, Array.from({ length: num }, (_, i) => [String(i), String(i)]), String(store.patch.class_index ?? 0));
      this.drawTimeline();
      this.drawFaders();
    });
    store.on("patch", () => {
      refresh();
      const { dial } = store.patch;
      weights.select.value = store.patch.weights;
      noise.select.value = store.patch.noise_mode;
      trunc.update();
      this.dial.classList.toggle("is-idle", dial.base === null);
      const value = Number(dial.amount);
      whole.update(Number.isFinite(value) ? value : this.middle(), !Number.isFinite(value));
      this.wholeParam.update();
      this.updateFaders();
      this.timeline?.update();
    });
  }

  private open(name: string): void {
    const next = this.store.shelf.standing.find((one) => one.name === name);
    this.store.change((patch) => {
      patch.network = name;
      patch.kimg = null;
      patch.dial = { base: null, amount: "1" };
      patch.modules = [];
    });
    if (next?.base) this.store.settle();
  }

  private turn(value: number): void {
    this.store.change((patch) => {
      patch.dial.amount = String(value);
      patch.dial.base ??= this.store.graph.base;
    });
  }

  /** The amounts by layer, where the dial is not the same for all. */
  private layers(): Map<string, number> | null {
    const { amount } = this.store.patch.dial;
    if (!amount.includes("=")) return null;
    return new Map(amount.split(",").map((part) => part.split("=")).map(([name, value]) => [name!.trim(), Number(value)]));
  }

  private middle(): number {
    const layers = this.layers();
    if (!layers) return 1;
    return [...layers.values()].reduce((sum, value) => sum + value, 0) / layers.size;
  }

  private blocks(): string[] {
    const names = this.store.graph.layers.map((layer) => layer.tap.split(".")[0]!);
    return [...new Set(names.filter((name) => /^b\d+$/.test(name)))];
  }

  private drawFaders(): void {
    this.faders.replaceChildren(
      ...this.blocks().map((block) => {
        const fader = h("input", {
          type: "range",
          class: "fader",
          min: LOW,
          max: HIGH,
          step: 0.01,
          orient: "vertical",
          "aria-label": `Dial at ${block.slice(1)}×${block.slice(1)}`,
          "aria-orientation": "vertical",
          "data-block": block,
          oninput: () => this.slide(block, fader.valueAsNumber),
          ondblclick: () => this.slide(block, 1),
        });
        return h("div", { class: "fader-slot" }, fader, h("span", { "aria-hidden": "true" }, block.slice(1)));
      }),
    );
    this.updateFaders();
  }

  private slide(block: string, value: number): void {
    const layers = this.layers();
    const whole = Number(this.store.patch.dial.amount);
    const amounts = this.blocks().map((name) => {
      const before = layers?.get(name) ?? (Number.isFinite(whole) ? whole : 1);
      return `${name}=${name === block ? value : before}`;
    });
    this.store.change((patch) => {
      patch.dial.amount = amounts.join(",");
      patch.dial.base ??= this.store.graph.base;
    });
  }

  private updateFaders(): void {
    const layers = this.layers();
    const whole = Number(this.store.patch.dial.amount);
    for (const fader of this.faders.querySelectorAll<HTMLInputElement>(".fader")) {
      const value = layers?.get(fader.dataset.block!) ?? (Number.isFinite(whole) ? whole : 1);
      if (fader.valueAsNumber !== value) fader.value = String(value);
    }
  }

  private drawTimeline(): void {
    const { moments, network } = this.store.graph;
    const key = JSON.stringify([network, moments]);
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    this.timeline = null;
    this.timelineBox.replaceChildren();
    if (moments.length < 2) return;
    // The slider runs over snapshots, evenly, as they are spaced over the breaking and not over the pictures.
    const places = moments.length - 1;
    const toKimg = (at: number): number => {
      const before = Math.min(Math.floor(at), places - 1);
      return moments[before]! + (moments[before + 1]! - moments[before]!) * (at - before);
    };
    const toPlace = (kimg: number): number => {
      const after = moments.findIndex((moment) => moment >= kimg);
      if (after < 0) return places;
      if (after === 0) return 0;
      return after - 1 + (kimg - moments[after - 1]!) / (moments[after]! - moments[after - 1]!);
    };
    const readout = h("output", { class: "timeline-now" });
    this.timeline = param({
      id: "kimg",
      label: "training",
      name: "training time",
      low: 0,
      high: places,
      step: 0.01,
      rest: places,
      scale: { toNumber: toKimg, toPlace },
      get: () => {
        const { kimg } = this.store.patch;
        if (kimg === null) return String(places);
        return Number.isFinite(Number(kimg)) ? String(toPlace(Number(kimg))) : ranged(kimg, toPlace);
      },
      set: (text, passing) =>
        this.store.change((patch) => {
          const at = Number(text);
          patch.kimg = Number.isFinite(at) ? String(Number(toKimg(at).toFixed(4))) : ranged(text, toKimg);
        }, passing),
    });
    const update = this.timeline.update;
    this.timeline.update = () => {
      update();
      const kimg = this.store.patch.kimg ?? String(moments.at(-1));
      readout.textContent = Number.isFinite(Number(kimg)) ? `${Number(Number(kimg).toFixed(4))} kimg` : kimg;
    };
    const marks = h("div", { class: "timeline-marks", "aria-hidden": "true" });
    moments.forEach((moment, i) => {
      const mark = h("span", {}, i % Math.ceil(moments.length / 8) === 0 || i === places ? String(moment) : "");
      mark.style.left = `${(100 * i) / places}%`;
      marks.append(mark);
    });
    this.timelineBox.append(h("div", { class: "row" }, h("h3", {}, "Timeline"), readout), this.timeline.root, marks);
  }
}

/** An oscillator's text with the ends of its range taken elsewhere. */
function ranged(text: string, take: (value: number) => number): string {
  return text.replace(/(-?[\d.]+)\.\.(-?[\d.]+)/, (_, low: string, high: string) =>
    [low, high].map((end) => Number(take(Number(end)).toFixed(4))).join(".."),
  );
}
