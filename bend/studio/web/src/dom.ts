// Elements in one line each.

type Child = Node | string | null | undefined | false;
type Props = Record<string, unknown>;

/** An element with properties, attributes, listeners (`onclick`) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on") && typeof value === "function") {
      element.addEventListener(key.slice(2), value as EventListener);
    } else if (key === "class") {
      element.className = String(value);
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

export function append(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** An element of a drawing. */
export function s(name: string, attributes: Record<string, string | number>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

const ICONS: Record<string, string> = {
  undo: "M9 7H5V3M5 7a8 8 0 1 1-1 7",
  redo: "M15 7h4V3M19 7a8 8 0 1 0 1 7",
  wave: "M2 12c3-9 6-9 10 0s7 9 10 0",
  dice: "M4 4h16v16H4zM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01",
  close: "M6 6l12 12M18 6L6 18",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  power: "M12 3v8M6.5 6.5a8 8 0 1 0 11 0",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M5 19l1.4-1.4M17.6 6.4L19 5",
  save: "M12 3v12M7 10l5 5 5-5M4 20h16",
  play: "M7 4l13 8-13 8z",
  stop: "M6 6h12v12H6z",
  pixels: "M4 4h7v7H4zM13 13h7v7h-7z",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
};

/** A small drawing of lines. */
export function icon(name: keyof typeof ICONS | string): SVGElement {
  const drawing = s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" });
  drawing.append(s("path", { d: ICONS[name] ?? "" }));
  return drawing;
}

/** A button that shows an icon and is called by its label. */
export function iconButton(name: string, label: string, onclick: () => void, extra: Props = {}): HTMLButtonElement {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...extra }, icon(name));
}

let ids = 0;

export function freshId(prefix: string): string {
  ids += 1;
  return `${prefix}-${ids}`;
}

/** A select with a label above it. */
export function choice(
  label: string,
  options: [string, string][],
  value: string,
  onchange: (value: string) => void,
): { root: HTMLElement; select: HTMLSelectElement } {
  const id = freshId("choice");
  const select = h("select", { id, onchange: () => onchange(select.value) });
  fill(select, options, value);
  return { root: h("div", { class: "field" }, h("label", { for: id }, label), select), select };
}

export function fill(select: HTMLSelectElement, options: [string, string][], value: string): void {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.dataset.options = wanted;
    select.replaceChildren(...options.map(([key, text]) => h("option", { value: key }, text)));
  }
  select.value = value;
}

/** A number field with a label; what is out of its range is put to its end, where `step` is 1 to a whole number. */
export function numberField(
  label: string,
  value: number,
  onchange: (value: number) => void,
  range: { min: number; max: number; step: number | "any" },
): { root: HTMLElement; input: HTMLInputElement } {
  const id = freshId("number");
  const change = (): void => {
    if (!Number.isFinite(input.valueAsNumber)) return;
    const bounded = Math.min(Math.max(input.valueAsNumber, range.min), range.max);
    const next = range.step === 1 ? Math.round(bounded) : bounded;
    input.value = String(next);
    onchange(next);
  };
  const input = h("input", { id, type: "number", inputmode: "decimal", ...range, value, onchange: change });
  return { root: h("div", { class: "field" }, h("label", { for: id }, label), input), input };
}

/** A list that is drawn anew item by item: what is the same stays as it stands. */
export function keyedList<T>(list: HTMLElement, key: (item: T) => string, draw: (item: T) => HTMLElement): (items: T[]) => void {
  let drawn = new Map<string, { facts: string; element: HTMLElement }>();
  return (items) =>
    withFocus(list, () => {
      const before = drawn;
      drawn = new Map(
        items.map((item) => {
          const facts = JSON.stringify(item);
          const found = before.get(key(item));
          return [key(item), found?.facts === facts ? found : { facts, element: draw(item) }];
        }),
      );
      arrange(list, [...drawn.values()].map(({ element }) => element));
    });
}

/** Have just these children in this order, and move none that stands right. */
export function arrange(parent: HTMLElement, children: HTMLElement[]): void {
  for (const child of [...parent.children]) if (!children.includes(child as HTMLElement)) child.remove();
  children.forEach((child, i) => parent.children[i] !== child && parent.insertBefore(child, parent.children[i] ?? null));
}

/**
 * Alter what is inside, and leave the focus where it was: on the same control, on what has its name now, or, where it is
 * no more, on the next one that does the like; where there is none, on what held it.
 */
export function withFocus(root: HTMLElement, alter: () => void): void {
  const focused = document.activeElement;
  if (!(focused instanceof HTMLElement) || !root.contains(focused)) {
    alter();
    return;
  }
  const [name, verb] = [nameOf(focused), verbOf(focused)];
  const alike = (): HTMLElement[] => controls(root).filter((one) => verbOf(one) === verb);
  const place = alike().indexOf(focused);
  alter();
  if (document.activeElement === focused && !focused.matches(":disabled")) return;
  const left = controls(root);
  const after = root.contains(focused) ? left.find((one) => one === focused || isAfter(one, focused)) : undefined;
  const next = after ?? left.find((one) => nameOf(one) === name) ?? alike().slice(0, place + 1).at(-1);
  if (!next) root.tabIndex = -1;
  (next ?? root).focus({ preventScroll: true });
}

function isAfter(one: Node, other: Node): boolean {
  return (other.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
}

function controls(root: HTMLElement): HTMLElement[] {
  const found = [...root.querySelectorAll<HTMLElement>("button:not(:disabled), input:not(:disabled), select, summary, a[href]")];
  return found.filter((one) => one.checkVisibility());
}

function nameOf(control: HTMLElement): string {
  return control.getAttribute("aria-label") ?? (control as HTMLInputElement).labels?.[0]?.textContent ?? control.textContent ?? "";
}

/** What it does, whatever it does it to: `Remove` of `Remove swirl 2`. */
function verbOf(control: HTMLElement): string {
  return nameOf(control).split(" ")[0]!;
}

export function panel(title: string, ...children: Child[]): HTMLElement {
  const id = freshId("panel");
  return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, title), ...children);
}
