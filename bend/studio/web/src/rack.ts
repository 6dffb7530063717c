// The rack of bends, and the palette they are taken from: dragged onto a layer, or tapped when a layer is chosen.

import { choice, fill, freshId, h, iconButton, numberField, panel } from "./dom";
import { param, softRange, type Param } from "./param";
import { sources } from "./sources";
import type { Store } from "./store";
import type { Bend, Module, Parameter } from "./types";
import type { Words } from "./connection";

const DRAWERS: [string, string][] = [
  ["geometry", "move"],
  ["pointwise", "level"],
  ["filters", "filter"],
  ["morphology", "shape"],
  ["channels", "channels"],
  ["memory", "memory"],
  ["weights", "weights"],
];
const DRAG_PX = 6;

export interface Clusters {
  side: number;
  layers: Record<string, { channels: number[]; strip: string }>;
}

export class Rack {
  readonly root: HTMLElement;
  readonly palette: HTMLElement;
  private readonly list = h("ol", { class: "rack", "aria-label": "Bends in the order in which they act" });
  private readonly empty = h("p", { class: "hint" }, "Nothing is bent. Take a bend from above.");
  private cards = new Map<string, Param[]>();
  private drawn = "";
  private clusters: Clusters | null = null;
  private isAsking = false;

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
  ) {
    this.palette = this.drawPalette();
    this.root = panel("Bends", this.palette, this.empty, this.list);
    store.on("patch", () => this.update());
    store.on("graph", () => {
      this.clusters = null;
      this.isAsking = false;
      this.drawn = "";
      this.update();
    });
  }

  /** Ask again for what was asked over a connection that is no more. */
  askAgain(): void {
    if (!this.isAsking) return;
    this.isAsking = false;
    this.drawn = "";
    this.update();
  }

  heardClusters(words: Words): void {
    this.clusters = words as unknown as Clusters;
    this.isAsking = false;
    this.drawn = "";
    this.update();
  }

  /** Put a bend on a layer. */
  add(bend: Bend, tap: string): void {
    const place = this.placeFor(bend, tap);
    const module: Module = {
      key: `${bend.name}-${Date.now().toString(36)}${Math.floor(Math.random() * 1000)}`,
      on: true,
      name: bend.name,
      values: bend.parameters.map((parameter) => String(parameter.example)),
      tap: place,
      channels: "all",
      mask: "",
      soft: 0.05,
      mix: "1",
      edge: this.store.edges[0]!,
    };
    this.store.change((patch) => patch.modules.push(module));
  }

  /** The layer itself, or the nearest place at it that the bend suits. */
  private placeFor(bend: Bend, tap: string): string {
    const kind = this.store.graph.layers.find((layer) => layer.tap === tap)?.kind ?? "conv";
    const called = kind === "dense" ? "mapping" : kind;
    if (bend.kinds.includes(called)) return tap;
    const conv = this.taps(bend);
    return conv.find((one) => one.startsWith(tap.split(".")[0]!)) ?? conv[0] ?? tap;
  }

  /** Every place that a bend suits. */
  private taps(bend: Bend): string[] {
    const found: string[] = [];
    for (const { tap, kind } of this.store.graph.layers) {
      const called = kind === "dense" ? "mapping" : kind;
      if (bend.kinds.includes(called)) found.push(tap);
      if (kind === "conv" && bend.kinds.includes("noise")) found.push(`${tap}.noise`);
      if ((kind === "conv" || kind === "torgb") && bend.kinds.includes("bias")) found.push(`${tap}.bias`);
    }
    return found;
  }

  private drawPalette(): HTMLElement {
    const drawers = DRAWERS.map(([family, title]) => {
      const id = freshId("drawer");
      const chips = this.store.bends.filter((bend) => bend.family === family).map((bend) => this.chip(bend));
      return h("div", { class: "palette-drawer" }, h("h3", { id }, title), h("div", { class: "chips", role: "group", "aria-labelledby": id }, ...chips));
    });
    return h("details", { class: "palette", open: true }, h("summary", {}, "Palette"), ...drawers);
  }

  private chip(bend: Bend): HTMLElement {
    const chip = h("button", { type: "button", class: `chip family-${bend.family}`, title: bend.does }, bend.name);
    let start: { x: number; y: number } | null = null;
    let ghost: HTMLElement | null = null;
    let hasDragged = false;
    const over = (event: PointerEvent): HTMLElement | null =>
      document.elementFromPoint(event.clientX, event.clientY)?.closest<HTMLElement>("[data-tap]") ?? null;
    const end = (event: PointerEvent): void => {
      if (ghost) {
        const node = event.type === "pointerup" ? over(event) : null;
        if (node) this.add(bend, node.dataset.tap!);
        ghost.remove();
        document.querySelectorAll(".is-target").forEach((one) => one.classList.remove("is-target"));
      }
      hasDragged = ghost !== null;
      start = ghost = null;
    };
    chip.addEventListener("pointerdown", (event) => {
      start = { x: event.clientX, y: event.clientY };
      hasDragged = false;
      chip.setPointerCapture(event.pointerId);
    });
    chip.addEventListener("pointermove", (event) => {
      if (!start) return;
      if (!ghost && Math.hypot(event.clientX - start.x, event.clientY - start.y) > DRAG_PX) {
        ghost = h("div", { class: `chip ghost family-${bend.family}` }, bend.name);
        document.body.append(ghost);
      }
      if (!ghost) return;
      ghost.style.transform = `translate(${event.clientX + 8}px, ${event.clientY - 12}px)`;
      const node = over(event);
      document.querySelectorAll(".is-target").forEach((one) => one !== node && one.classList.remove("is-target"));
      node?.classList.add("is-target");
    });
    chip.addEventListener("pointerup", end);
    chip.addEventListener("pointercancel", end);
    chip.addEventListener("click", () => {
      if (!hasDragged) this.add(bend, this.store.selected ?? this.usual(bend));
    });
    return chip;
  }

  private usual(bend: Bend): string {
    const taps = this.taps(bend);
    return taps.find((tap) => /^b(16|32)\.conv1$/.test(tap)) ?? taps[Math.floor(taps.length / 2)] ?? "b8.conv1";
  }

  private update(): void {
    const modules = this.store.patch.modules;
    this.empty.hidden = modules.length > 0;
    const shape = JSON.stringify(modules.map(({ key, name, tap, channels, mask, edge, on, soft }) => [key, name, tap, channels, mask, edge, on, soft]));
    if (shape !== this.drawn) {
      const isInside = this.list.contains(document.activeElement);
      const label = document.activeElement?.getAttribute("aria-label");
      this.drawn = shape;
      this.cards.clear();
      this.list.replaceChildren(...modules.map((module, index) => this.card(module, index)));
      if (isInside && label) this.list.querySelector<HTMLElement>(`[aria-label="${CSS.escape(label)}"]`)?.focus();
    }
    for (const params of this.cards.values()) for (const one of params) one.update();
  }

  private edit(key: string, alter: (module: Module) => void, passing = false): void {
    this.store.change((patch) => {
      const module = patch.modules.find((one) => one.key === key);
      if (module) alter(module);
    }, passing);
  }

  private now(key: string): Module | undefined {
    return this.store.patch.modules.find((one) => one.key === key);
  }

  private card(module: Module, index: number): HTMLElement {
    const bend = this.store.bends.find((one) => one.name === module.name)!;
    const { key } = module;
    const params = bend.parameters.map((parameter, i) => this.param(key, bend, parameter, i));
    const mix = param({
      id: `${key}.mix`,
      label: "mix",
      name: `${bend.name} mix`,
      low: 0,
      high: 1,
      rest: 1,
      get: () => this.now(key)?.mix ?? "1",
      set: (text, passing) => this.edit(key, (one) => (one.mix = text), passing),
    });
    this.cards.set(key, [...params, mix]);
    const places = this.taps(bend);
    if (!places.includes(module.tap)) places.unshift(module.tap);
    const tap = choice("at", places.map((one) => [one, one]), module.tap, (value) => this.edit(key, (one) => (one.tap = value)));
    return h(
      "li",
      { class: `module family-${bend.family}${module.on ? "" : " is-off"}` },
      h(
        "div",
        { class: "module-head" },
        iconButton("power", `${bend.name} ${index + 1} on`, () => this.edit(key, (one) => (one.on = !one.on)), { "aria-pressed": String(module.on) }),
        h("strong", { title: bend.does }, bend.name),
        iconButton("up", `${bend.name} ${index + 1} earlier`, () => this.shift(index, -1), { disabled: index === 0 }),
        iconButton("down", `${bend.name} ${index + 1} later`, () => this.shift(index, 1), { disabled: index === this.store.patch.modules.length - 1 }),
        iconButton("close", `Remove ${bend.name} ${index + 1}`, () => this.remove(key)),
      ),
      h("p", { class: "hint does" }, bend.does),
      ...params.map((one) => one.root),
      mix.root,
      h(
        "details",
        { class: "where", open: module.channels !== "all" || module.mask !== "" },
        h("summary", {}, `${module.tap}, ${module.channels === "all" ? "all channels" : module.channels}${module.mask ? ", masked" : ""}`),
        h("div", { class: "row" }, tap.root, this.channels(module), bend.takes_edge && this.edges(module)),
        this.clusterStrip(module),
        bend.family !== "weights" && this.mask(module),
      ),
    );
  }

  private param(key: string, bend: Bend, parameter: Parameter, i: number): Param {
    const [low, high] = softRange(parameter);
    return param({
      id: `${key}.${parameter.name}`,
      label: parameter.name,
      name: `${bend.name} ${parameter.name}`,
      low,
      high,
      step: parameter.is_whole ? 1 : undefined,
      hardLow: parameter.low,
      hardHigh: parameter.high,
      rest: parameter.neutral,
      get: () => this.now(key)?.values[i] ?? "0",
      set: (text, passing) => this.edit(key, (one) => (one.values[i] = text), passing),
    });
  }

  private shift(index: number, by: number): void {
    this.store.change((patch) => {
      const [module] = patch.modules.splice(index, 1);
      if (module) patch.modules.splice(index + by, 0, module);
    });
  }

  private remove(key: string): void {
    for (const one of ["mix", ...(this.store.bends.find(({ name }) => name === this.now(key)?.name)?.parameters ?? []).map((p) => p.name)]) sources.release(`${key}.${one}`);
    this.store.change((patch) => (patch.modules = patch.modules.filter((module) => module.key !== key)));
  }

  private channels(module: Module): HTMLElement {
    const kind = /^random/.test(module.channels) ? "random" : /^top/.test(module.channels) ? "top" : /^cluster/.test(module.channels) ? "cluster" : module.channels === "all" ? "all" : "list";
    const set = (text: string): void => this.edit(module.key, (one) => (one.channels = text));
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
        numberField("share", Number(random[1]), (value) => set(`random:${Math.min(Math.max(value, 0.01), 1)}:seed${random[2] ?? 0}`), { min: 0.01, max: 1, step: 0.05 }).root,
        numberField("dice", Number(random[2] ?? 0), (value) => set(`random:${random[1]}:seed${Math.max(Math.round(value), 0)}`), { min: 0, step: 1 }).root,
      );
    }
    const top = /^top:(\d+)/.exec(module.channels);
    if (top) parts.push(numberField("how many", Number(top[1]), (value) => set(`top:${Math.max(Math.round(value), 1)}`), { min: 1, step: 1 }).root);
    return h("div", { class: "row" }, ...parts);
  }

  private clusterStrip(module: Module): HTMLElement | false {
    const chosen = /^cluster=([\d,]+)/.exec(module.channels)?.[1];
    if (chosen === undefined) return false;
    if (!this.clusters) {
      if (!this.isAsking) this.say({ do: "clusters" });
      this.isAsking = true;
      return h("p", { class: "hint" }, "Looking for clusters…");
    }
    const layer = this.clusters.layers[module.tap];
    if (!layer) return h("p", { class: "hint" }, "Clusters are of single convolutions; choose one at “at”.");
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
            this.edit(module.key, (one) => (one.channels = `cluster=${[...next].sort((a, b) => a - b).join(",")}`));
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
    return choice("beyond the edge", this.store.edges.map((edge) => [edge, edge]), module.edge, (value) => this.edit(module.key, (one) => (one.edge = value))).root;
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
      this.edit(module.key, (one) => (one.mask = shape === "none" ? "" : `${shape}:${numbers.map((n) => Number(n.toFixed(3))).join(",")}`));
    const select = choice("where", kinds, kind, write);
    const names = /rect/.test(kind) ? ["left", "top", "width", "height"] : ["centre x", "centre y", "half width", "half height"];
    const fields = found
      ? names.map((name, i) => numberField(name, numbers[i]!, (value) => ((numbers[i] = i > 1 ? Math.max(value, 0) : value), write(kind)), { step: 0.05 }).root)
      : [];
    fill(select.select, kinds, kind);
    return h("div", { class: "row" }, select.root, ...fields);
  }
}
