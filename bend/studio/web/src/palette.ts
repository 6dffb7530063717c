// The palette of bends: dragged onto a layer, or tapped for the layer that is chosen.

import { freshId, h } from "./dom";
import { usualPlace } from "./places";
import type { Store } from "./store";
import type { Bend } from "./types";

type Add = (bend: Bend, tap: string) => void;

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

export function palette(store: Store, add: Add): HTMLElement {
  const target = h("p", { class: "target hint", role: "status" });
  store.on("selected", () => {
    target.textContent = store.selected ? `A tapped bend goes to ${store.selected}.` : "A tapped bend goes to the middle of the network.";
  });
  const drawers = DRAWERS.map(([family, title]) => {
    const id = freshId("drawer");
    const chips = store.bends.filter((bend) => bend.family === family).map((bend) => chip(bend, store, add));
    return h("div", { class: "palette-drawer" }, h("h3", { id }, title), h("div", { class: "chips", role: "group", "aria-labelledby": id }, ...chips));
  });
  return h("details", { class: "palette", open: true }, h("summary", {}, "Palette"), target, ...drawers);
}

function chip(bend: Bend, store: Store, add: Add): HTMLElement {
  const button = h("button", { type: "button", class: `chip family-${bend.family}`, title: bend.does }, bend.name);
  let start: { x: number; y: number } | null = null;
  let ghost: HTMLElement | null = null;
  let hasDragged = false;
  const over = (event: PointerEvent): HTMLElement | null =>
    document.elementFromPoint(event.clientX, event.clientY)?.closest<HTMLElement>("[data-tap]") ?? null;
  const end = (event: PointerEvent): void => {
    if (ghost) {
      const node = event.type === "pointerup" ? over(event) : null;
      if (node) add(bend, node.dataset.tap!);
      ghost.remove();
      document.querySelectorAll(".is-target").forEach((one) => one.classList.remove("is-target"));
    }
    hasDragged = ghost !== null;
    start = ghost = null;
  };
  button.addEventListener("pointerdown", (event) => {
    start = { x: event.clientX, y: event.clientY };
    hasDragged = false;
    button.setPointerCapture(event.pointerId);
  });
  button.addEventListener("pointermove", (event) => {
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
  button.addEventListener("pointerup", end);
  button.addEventListener("pointercancel", end);
  button.addEventListener("click", () => {
    if (!hasDragged) add(bend, store.selected ?? usualPlace(bend, store.graph));
  });
  return button;
}
