// A drawing of the network: where the data flows, what flows there now, and where bends can be dropped.

import { h, s } from "./dom";
import type { Words } from "./connection";
import type { Store } from "./store";
import type { Layer } from "./types";

const CELL = 78;
const NODE = 56;
const ROWS: Record<string, number> = { const: 40, conv: 40, torgb: 132, image: 224 };
const SHEET_COLUMNS = 8;
const TILE = 40;

interface Spot {
  x: number;
  y: number;
  layer: Layer;
}

export class NetworkGraph {
  readonly root: HTMLElement;
  private readonly board = h("div", { class: "graph-board" });
  private readonly scroll = h("div", { class: "graph-scroll", tabindex: 0, role: "group", "aria-label": "Network, scrolls sideways" }, this.board);
  private nodes = new Map<string, HTMLButtonElement>();
  private isWatching = false;

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
  ) {
    const hint = h("p", { class: "hint" }, "Drag a bend onto a layer, or choose a layer and tap a bend.");
    this.root = h("section", { class: "panel graph", "aria-labelledby": "graph-title" }, h("div", { class: "row" }, h("h2", { id: "graph-title" }, "Network"), hint), this.scroll);
    window.addEventListener("resize", () => this.scale());
    store.on("graph", () => this.draw());
    store.on("patch", () => this.mark());
    store.on("selected", () => this.mark());
    new IntersectionObserver((entries) => {
      this.isWatching = entries.some((entry) => entry.isIntersecting);
      this.watch();
    }).observe(this.root);
  }

  /** Ask for feature maps, as long as the drawing can be seen. */
  watch(): void {
    this.say({ do: "watch", taps: this.isWatching ? [...this.nodes.keys()].filter((tap) => !tap.startsWith("mapping")) : [] });
  }

  async maps(meta: Words, picture: Blob): Promise<void> {
    const bitmap = await createImageBitmap(picture);
    (meta["order"] as string[]).forEach((tap, number) => {
      const canvas = this.nodes.get(tap)?.querySelector("canvas");
      const x = (number % SHEET_COLUMNS) * TILE;
      const y = Math.floor(number / SHEET_COLUMNS) * TILE;
      canvas?.getContext("2d")?.drawImage(bitmap, x, y, TILE, TILE, 0, 0, TILE, TILE);
    });
    bitmap.close();
  }

  private draw(): void {
    const layers = this.store.graph.layers;
    const mapping = layers.filter((layer) => layer.kind === "dense");
    const spots = new Map<string, Spot>();
    const ws = layers.find((layer) => layer.kind === "ws")!;
    spots.set(ws.tap, { x: 130, y: ROWS["conv"]!, layer: ws });
    let x = 130 + CELL * 1.25;
    let block = "";
    for (const layer of layers) {
      if (!(layer.kind in ROWS) || layer.kind === "skip") continue;
      const name = layer.tap.split(".")[0]!;
      if (block && name !== block && layer.kind !== "torgb" && layer.kind !== "image") x += CELL * 1.12;
      else if (layer.kind === "conv" && name === block) x += CELL;
      block = name;
      spots.set(layer.tap, { x, y: ROWS[layer.kind]!, layer });
    }
    const width = x + CELL;
    const height = ROWS["image"]! + NODE + 34;
    this.board.style.width = `${width}px`;
    this.board.style.height = `${height}px`;
    this.scale();
    this.nodes = new Map();
    const pills = h(
      "div",
      { class: "graph-mapping" },
      h("span", { class: "pill" }, "z"),
      ...mapping.map((layer) => this.node(layer, "pill")),
    );
    const nodes = [...spots.values()].map((spot) => {
      const node = this.node(spot.layer, "node");
      node.style.left = `${spot.x}px`;
      node.style.top = `${spot.y}px`;
      return node;
    });
    this.board.replaceChildren(this.wires(spots, width, height), pills, ...nodes);
    this.mark();
    this.watch();
  }

  /** As large as the letters beside it. */
  private scale(): void {
    const letters = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.board.style.setProperty("zoom", String(Math.max(letters / 14.5, 1)));
  }

  private node(layer: Layer, look: string): HTMLButtonElement {
    const shape = layer.shape.join("×");
    const short = layer.tap.replace("mapping.", "");
    const node = h(
      "button",
      {
        type: "button",
        class: `${look} kind-${layer.kind}`,
        "data-tap": layer.tap,
        "aria-pressed": "false",
        title: `${layer.tap}: ${layer.detail}, ${shape}`,
        "aria-label": `${layer.tap}, ${layer.detail}, ${shape}`,
        onclick: () => {
          this.store.selected = this.store.selected === layer.tap ? null : layer.tap;
          this.store.tell("selected");
        },
      },
      look === "node" && h("canvas", { width: TILE, height: TILE, "aria-hidden": "true" }),
      h("span", { class: "node-name" }, short),
      h("span", { class: "node-bends", "aria-hidden": "true" }),
    );
    this.nodes.set(layer.tap, node);
    return node;
  }

  private wires(spots: Map<string, Spot>, width: number, height: number): SVGElement {
    const drawing = s("svg", { width, height, "aria-hidden": "true", class: "graph-wires" });
    const wire = (kind: string, d: string): void => drawing.append(s("path", { d, class: `wire wire-${kind}` }));
    const all = [...spots.values()];
    const middle = NODE / 2;
    const ws = spots.get("ws")!;
    const convs = all.filter(({ layer }) => layer.kind === "conv" || layer.kind === "const");
    const rail = 16;
    const last = convs.at(-1)!;
    wire("ws", `M74 ${ws.y + middle}H${ws.x}`);
    wire("ws", `M${ws.x + middle} ${ws.y}V${rail}H${last.x + middle}`);
    for (const { x, y, layer } of convs) if (layer.kind === "conv") wire("ws", `M${x + middle} ${rail}V${y}`);
    convs.slice(1).forEach((to, i) => wire("conv", `M${convs[i]!.x + NODE} ${to.y + middle}H${to.x}`));
    for (const rgb of all.filter(({ layer }) => layer.kind === "torgb")) {
      wire("image", `M${rgb.x + middle} ${ROWS["conv"]! + NODE + 16}V${rgb.y}`);
      wire("image", `M${rgb.x + middle} ${rgb.y + NODE + 16}V${ROWS["image"]!}`);
    }
    const images = all.filter(({ layer }) => layer.kind === "image");
    images.slice(1).forEach((to, i) => wire("image", `M${images[i]!.x + NODE} ${to.y + middle}H${to.x}`));
    return drawing;
  }

  private mark(): void {
    for (const [tap, node] of this.nodes) {
      const count = this.store.patch.modules.filter((module) => module.on && touches(module.tap, tap)).length;
      node.querySelector(".node-bends")!.textContent = count ? String(count) : "";
      node.classList.toggle("is-bent", count > 0);
      node.setAttribute("aria-pressed", String(this.store.selected === tap));
    }
  }
}

/** Whether a pattern of taps names a node, or something inside it. */
function touches(pattern: string, tap: string): boolean {
  return pattern.split(",").some((part) => {
    const wanted = part.trim().replace(/\.(affine|style|noise|bias)$/, "");
    if (wanted === tap) return true;
    if (wanted === "*") return /\.conv\d$/.test(tap);
    if (!wanted.includes("*")) return false;
    const expression = new RegExp(`^${wanted.split("*").map((text) => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^.]*")}$`);
    return expression.test(tap) && (/\.conv\d$/.test(tap) || /torgb|image|const/.test(wanted));
  });
}
