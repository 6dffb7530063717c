// The dial: a big round knob, turned by dragging up and down or with the arrow keys.

import { h, s } from "./dom";

const SWEEP = 270;
const DRAG_PX = 220;

export interface Knob {
  root: HTMLElement;
  update: (value: number, isMoved: boolean) => void;
}

export function knob(label: string, low: number, high: number, rest: number, set: (value: number) => void): Knob {
  let value = rest;
  const drawing = s("svg", { viewBox: "-50 -50 100 100", "aria-hidden": "true" });
  const arc = s("path", { class: "knob-arc", d: arcTo(low) });
  const hand = s("line", { class: "knob-hand", x1: 0, y1: -14, x2: 0, y2: -29 });
  drawing.append(s("path", { class: "knob-track", d: arcTo(high) }));
  for (const mark of [0, 1]) {
    const [x, y] = point(mark, 46);
    const [x2, y2] = point(mark, 40);
    drawing.append(s("line", { class: "knob-mark", x1: x, y1: y, x2, y2 }));
  }
  drawing.append(arc, s("circle", { class: "knob-face", r: 31 }), hand);
  const root = h("div", {
    class: "knob",
    role: "slider",
    tabindex: 0,
    "aria-label": label,
    "aria-valuemin": low,
    "aria-valuemax": high,
    "aria-valuenow": rest,
  });
  root.append(drawing);

  function turn(share: number): number {
    return (share - low) / (high - low);
  }
  function point(at: number, radius: number): [number, number] {
    const angle = ((turn(at) * SWEEP - SWEEP / 2 - 90) * Math.PI) / 180;
    return [Math.cos(angle) * radius, Math.sin(angle) * radius];
  }
  function arcTo(at: number): string {
    const [x0, y0] = point(low, 37);
    const [x1, y1] = point(at, 37);
    return `M${x0} ${y0}A37 37 0 ${turn(at) * SWEEP > 180 ? 1 : 0} 1 ${x1} ${y1}`;
  }
  function show(next: number, isMoved: boolean): void {
    value = next;
    root.classList.toggle("is-moved", isMoved);
    root.setAttribute("aria-valuenow", String(next));
    arc.setAttribute("d", arcTo(Math.max(next, low + 1e-4)));
    hand.setAttribute("transform", `rotate(${turn(next) * SWEEP - SWEEP / 2})`);
  }
  // It shows the turn at once: the page's next frame would be too late for a key that is struck again before it.
  const put = (next: number): void => {
    const bounded = Number(Math.min(Math.max(next, low), high).toFixed(3));
    show(bounded, false);
    set(bounded);
  };

  let from: { y: number; x: number; value: number } | null = null;
  root.addEventListener("pointerdown", (event) => {
    root.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY, value };
    root.focus();
  });
  root.addEventListener("pointermove", (event) => {
    if (from) put(from.value + ((from.y - event.clientY + event.clientX - from.x) / DRAG_PX) * (high - low));
  });
  for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, () => (from = null));
  root.addEventListener("dblclick", () => put(rest));
  root.addEventListener("keydown", (event) => {
    const step = (high - low) / (event.shiftKey ? 200 : 40);
    const keys: Record<string, number> = {
      ArrowUp: value + step,
      ArrowRight: value + step,
      ArrowDown: value - step,
      ArrowLeft: value - step,
      PageUp: value + 5 * step,
      PageDown: value - 5 * step,
      Home: low,
      End: high,
    };
    const next = keys[event.key];
    if (next === undefined) return;
    event.preventDefault();
    put(next);
  });

  return { root, update: show };
}
