// Where a bend acts: at which layer, on which of its channels, and on which part of the plane.

import { choice, h, numberField, withFocus } from "./dom";
import { placesOf } from "./places";
import type { Store } from "./store";
import type { Bend, Module } from "./types";

export interface Clusters {
  side: number;
  layers: Record<string, { channels: number[]; strip: string }>;
}

const MOST_CHANNELS = 4096;
const LAST_DICE = 2 ** 32 - 1;

export class Where {
  private readonly summary = h("summary", {});
  private readonly fields = h("div", { class: "where-fields" });
  readonly root: HTMLElement;
  private drawn = "";

  /** `clusters` are asked for when they are wanted, and null until they come. */
  constructor(
    private readonly store: Store,
    private readonly bend: Bend,
    { channels, mask }: Module,
    private readonly edit: (alter: (module: Module) => void) => void,
    private readonly clusters: () => Clusters | null,
  ) {
    this.root = h("details", { class: "where", open: channels !== "all" || mask !== "" }, this.summary, this.fields);
  }

  /** Draw the fields anew if one of them has changed; what is open stays open. */
  update(module: Module): void {
    const { tap, channels, mask, edge } = module;
    const clusters = channels.startsWith("cluster") ? this.clusters() : null;
    const facts = JSON.stringify([tap, channels, mask, edge, clusters !== null]);
    if (facts === this.drawn) return;
    this.drawn = facts;
    this.summary.textContent = `${tap}, ${channels === "all" ? "all channels" : channels}${mask ? ", masked" : ""}`;
    const rows = [
      h("div", { class: "row" }, this.places(module), this.channels(module), this.bend.takes_edge && this.edges(module)),
      this.clusterStrip(module, clusters),
      this.bend.family !== "weights" && this.mask(module),
    ];
    withFocus(this.fields, () => this.fields.replaceChildren(...rows.filter((row) => row !== false)));
  }

  private places({ tap }: Module): HTMLElement {
    const places = placesOf(this.bend, this.store.graph);
    if (!places.includes(tap)) places.unshift(tap);
    return choice("at", places.map((one) => [one, one]), tap, (value) => this.edit((one) => (one.tap = value))).root;
  }

  private channels(module: Module): HTMLElement {
    const kind = /^random/.test(module.channels) ? "random" : /^top/.test(module.channels) ? "top" : /^cluster/.test(module.channels) ? "cluster" : module.channels === "all" ? "all" : "list";
    const set = (text: string): void => this.edit((one) => (one.channels = text));
    const kinds: [string, string][] = [
      ["all", "all"],
      ["random", "a random share"],
      ["top", "the loudest"],
      ["cluster", "a cluster"],
    ];
    if (kind === "list") kinds.push(["list", module.channels]);
    const select = choice("channels", kinds, kind, (value) => {
      set({ all: "all", random: "random:0.3:seed0", top: "top:8", cluster: "cluster=0" }[value] ?? "all");
    });
    const parts = [select.root];
    const random = /^random:([\d.]+)(?::seed(\d+))?/.exec(module.channels);
    if (random) {
      parts.push(
        numberField("share", Number(random[1]), (value) => set(`random:${value}:seed${random[2] ?? 0}`), { min: 0.01, max: 1, step: 0.05 }).root,
        numberField("dice", Number(random[2] ?? 0), (value) => set(`random:${random[1]}:seed${value}`), { min: 0, max: LAST_DICE, step: 1 }).root,
      );
    }
    const top = /^top:(\d+)/.exec(module.channels);
    if (top) parts.push(numberField("how many", Number(top[1]), (value) => set(`top:${value}`), { min: 1, max: MOST_CHANNELS, step: 1 }).root);
    return h("div", { class: "row" }, ...parts);
  }

  private clusterStrip(module: Module, clusters: Clusters | null): HTMLElement | false {
    const chosen = /^cluster=([\d,]+)/.exec(module.channels)?.[1];
    if (chosen === undefined) return false;
    if (!clusters) return h("p", { class: "hint" }, "Looking for clusters…");
    const layer = clusters.layers[module.tap];
    if (!layer) return h("p", { class: "hint" }, "Only single convolutions have clusters; choose one under “at”.");
    const numbers = new Set(chosen.split(",").map(Number));
    return h(
      "div",
      { class: "clusters", role: "group", "aria-label": "Clusters: what their channels draw" },
      ...layer.channels.map((count, number) => {
        const tile = h("button", {
          type: "button",
          class: "cluster",
          "aria-pressed": String(numbers.has(number)),
          "aria-label": `cluster ${number}, ${count} channels`,
          title: `cluster ${number}, ${count} channels`,
          onclick: () => {
            const next = new Set(numbers);
            if (next.has(number) && next.size > 1) next.delete(number);
            else next.add(number);
            this.edit((one) => (one.channels = `cluster=${[...next].sort((a, b) => a - b).join(",")}`));
          },
        });
        tile.style.backgroundImage = `url(${layer.strip})`;
        tile.style.backgroundSize = `${layer.channels.length * 100}% 100%`;
        tile.style.backgroundPosition = `${layer.channels.length > 1 ? (100 * number) / (layer.channels.length - 1) : 0}% 0`;
        return tile;
      }),
    );
  }

  private edges(module: Module): HTMLElement {
    return choice("beyond the edge", this.store.edges.map((edge) => [edge, edge]), module.edge, (value) => this.edit((one) => (one.edge = value))).root;
  }

  private mask(module: Module): HTMLElement {
    const found = /^(~?)(rect|ellipse):([-\d.]+),([-\d.]+),([-\d.]+),([-\d.]+)$/.exec(module.mask);
    const kind = found ? `${found[1]}${found[2]}` : "none";
    const kinds: [string, string][] = [
      ["none", "everywhere"],
      ["ellipse", "in an ellipse"],
      ["~ellipse", "around it"],
      ["rect", "in a rectangle"],
      ["~rect", "around it"],
    ];
    const numbers = found ? found.slice(3, 7).map(Number) : [0.5, 0.5, 0.25, 0.25];
    const write = (shape: string): void =>
      this.edit((one) => (one.mask = shape === "none" ? "" : `${shape}:${numbers.map((n) => Number(n.toFixed(3))).join(",")}`));
    const select = choice("where", kinds, kind, write);
    const names = /rect/.test(kind) ? ["left", "top", "width", "height"] : ["centre x", "centre y", "half width", "half height"];
    const fields = found
      ? names.map((name, i) => numberField(name, numbers[i]!, (value) => ((numbers[i] = value), write(kind)), { min: i > 1 ? 0 : -9, max: 9, step: 0.05 }).root)
      : [];
    return h("div", { class: "row" }, select.root, ...fields);
  }
}
