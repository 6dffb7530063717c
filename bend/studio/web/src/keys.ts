// Keys of the whole page, and when they are rather a field's.

import type { Store } from "./store";

const TEXT = 'input[type="text"], textarea';
let halfTyped: EventTarget | null = null;

document.addEventListener("input", ({ target }) => (halfTyped = target));
for (const name of ["change", "focusout"]) document.addEventListener(name, () => (halfTyped = null));

/** Whether somebody is writing in a field: it must not be written to, and keys are its own. */
export function isTyped(field: Element): boolean {
  return field === halfTyped && field === document.activeElement;
}

export function listenToKeys(store: Store, record: () => void): void {
  window.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    const key = event.key.toLowerCase();
    const isCommand = event.ctrlKey || event.metaKey;
    if (key === "enter") halfTyped = null;
    if (target.matches(TEXT) || (target.matches('input[type="number"]') && isTyped(target))) return;
    if (isCommand && key === "z") {
      event.preventDefault();
      if (event.shiftKey) store.redo();
      else store.undo();
    } else if (key === "r" && !isCommand && !event.altKey && !event.repeat) {
      event.preventDefault(); // a select would go to what begins with it
      record();
    }
  });
}
