// The rack of bends: a card a bend, in the order in which they act. A card stands as long as its bend is there.

import type { Words } from "./connection";
import { arrange, h, iconButton, panel, withFocus } from "./dom";
import type { Notices } from "./notices";
import { palette } from "./palette";
import { param, softRange, type Param } from "./param";
import { placeAt } from "./places";
import { sources } from "./sources";
import type { Store } from "./store";
import type { Bend, Module, Parameter } from "./types";
import { Where, type Clusters } from "./where";

const MOST_BENDS = 32;

interface Card {
  root: HTMLElement;
  update: (module: Module, index: number) => void;
}

export class Rack {
  readonly root: HTMLElement;
  private readonly list = h("ol", { class: "rack", "aria-label": "Bends in the order in which they act" });
  private readonly empty = h("p", { class: "hint" }, "Nothing is bent. Take a bend from above.");
  private readonly cards = new Map<string, Card>();
  private clusters: Clusters | null = null;
  private isAsking = false;

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
    private readonly notices: Notices,
  ) {
    this.root = panel("Bends", palette(store, (bend, tap) => this.add(bend, tap)), this.empty, this.list);
    store.on("patch", () => this.update());
    store.on("graph", () => {
      this.clusters = null;
      this.isAsking = false;
      this.cards.clear();
      this.update();
    });
  }

  heardClusters(words: Words): void {
    this.clusters = words as unknown as Clusters;
    this.isAsking = false;
    this.update();
  }

  /** Put a bend on a layer. */
  private add(bend: Bend, tap: string): void {
    if (this.store.patch.modules.length === MOST_BENDS) {
      this.notices.say(`The rack is full: it holds ${MOST_BENDS} bends. Remove one first.`);
      return;
    }
    const place = placeAt(bend, this.store.graph, tap);
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

  private update(): void {
    const { modules } = this.store.patch;
    this.empty.hidden = modules.length > 0;
    const names = new Set(modules.map(nameOf));
    for (const name of this.cards.keys()) if (!names.has(name)) this.cards.delete(name);
    withFocus(this.root, () => {
      const roots = modules.map((module, index) => {
        const card = this.cards.get(nameOf(module)) ?? this.card(module);
        this.cards.set(nameOf(module), card);
        card.update(module, index);
        return card.root;
      });
      arrange(this.list, roots);
    });
  }

  /** The clusters, asked for if nobody has yet. */
  private asked(): Clusters | null {
    if (!this.clusters && !this.isAsking) {
      this.isAsking = true;
      this.say({ do: "clusters" });
    }
    return this.clusters;
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

  private card(module: Module): Card {
    const bend = this.store.bends.find((one) => one.name === module.name)!;
    const { key } = module;
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
    const params = [...bend.parameters.map((parameter, i) => this.param(key, bend, parameter, i)), mix];
    const head = this.head(bend, key);
    const where = new Where(this.store, bend, module, (alter) => this.edit(key, alter), () => this.asked());
    const root = h("li", { class: `module family-${bend.family}` }, head.root, h("p", { class: "hint does" }, bend.does), ...params.map((one) => one.root), where.root);
    const update = (now: Module, index: number): void => {
      root.classList.toggle("is-off", !now.on);
      head.update(now, index);
      where.update(now);
      for (const one of params) one.update();
    };
    return { root, update };
  }

  private head(bend: Bend, key: string): Card {
    const power = iconButton("power", "", () => this.edit(key, (one) => (one.on = !one.on)));
    const earlier = iconButton("up", "", () => this.shift(key, -1));
    const later = iconButton("down", "", () => this.shift(key, 1));
    const remove = iconButton("close", "", () => this.remove(key));
    const root = h("div", { class: "module-head" }, power, h("strong", { title: bend.does }, bend.name), earlier, later, remove);
    const update = ({ on }: Module, index: number): void => {
      const called = `${bend.name} ${index + 1}`;
      power.setAttribute("aria-pressed", String(on));
      earlier.disabled = index === 0;
      later.disabled = index === this.store.patch.modules.length - 1;
      rename(power, `${called} on`);
      rename(earlier, `${called} earlier`);
      rename(later, `${called} later`);
      rename(remove, `Remove ${called}`);
    };
    return { root, update };
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

  private shift(key: string, by: number): void {
    this.store.change((patch) => {
      const index = patch.modules.findIndex((one) => one.key === key);
      const [module] = patch.modules.splice(index, 1);
      if (module) patch.modules.splice(index + by, 0, module);
    });
  }

  private remove(key: string): void {
    for (const one of ["mix", ...(this.store.bends.find(({ name }) => name === this.now(key)?.name)?.parameters ?? []).map((p) => p.name)]) sources.release(`${key}.${one}`);
    this.store.change((patch) => (patch.modules = patch.modules.filter((module) => module.key !== key)));
  }
}

/** What tells a card from others: a preset may have another bend under the same key. */
function nameOf({ key, name }: Module): string {
  return `${key} ${name}`;
}

function rename(button: HTMLElement, label: string): void {
  button.title = label;
  button.setAttribute("aria-label", label);
}
