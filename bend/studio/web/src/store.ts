// The state of the instrument in the page: one patch, its history, and who wants to know of changes.

import type { Graph, Patch, Shelf, Start } from "./types";

type Listener = () => void;

const SETTLED_MS = 350;
const MOST_STEPS = 200;

export class Store {
  patch: Patch;
  graph: Graph;
  shelf: Shelf;
  readonly bends: Start["bends"];
  readonly edges: string[];
  selected: string | null = null;
  /** Sends the patch; set by the connection. */
  send: (patch: Patch) => void = () => {};
  private listeners = new Map<string, Set<Listener>>();
  private past: string[] = [];
  private future: string[] = [];
  private settled: string;
  private timer = 0;
  private isQueued = false;

  constructor(start: Start) {
    this.patch = start.patch;
    this.graph = start.graph;
    this.shelf = start.state;
    this.bends = start.bends;
    this.edges = start.edges;
    this.settled = JSON.stringify(this.patch);
  }

  on(topic: "patch" | "graph" | "shelf" | "selected" | "history", listener: Listener): void {
    const found = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, found.add(listener));
    listener();
  }

  tell(topic: string): void {
    for (const listener of this.listeners.get(topic) ?? []) listener();
  }

  /** Change the patch. What only moves by itself (`passing`) makes no step to undo. */
  change(alter: (patch: Patch) => void, passing = false): void {
    alter(this.patch);
    this.changed();
    if (!passing) {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.settle(), SETTLED_MS);
    }
  }

  /** Take a whole patch, as a step of its own. */
  take(patch: Patch): void {
    this.settle();
    this.patch = structuredClone(patch);
    this.settle();
    this.changed();
  }

  /** A patch that another page played. */
  follow(patch: Patch): void {
    this.patch = patch;
    this.tell("patch");
  }

  settle(): void {
    clearTimeout(this.timer);
    const now = JSON.stringify(this.patch);
    if (now === this.settled) return;
    this.past = [...this.past.slice(-MOST_STEPS), this.settled];
    this.future = [];
    this.settled = now;
    this.tell("history");
  }

  /** Whether the last change is a step of its own already, so that the next will be another. */
  get isSettled(): boolean {
    return JSON.stringify(this.patch) === this.settled;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  undo(): void {
    this.settle();
    const before = this.past.pop();
    if (before === undefined) return;
    this.future.push(this.settled);
    this.restore(before);
  }

  redo(): void {
    this.settle();
    const after = this.future.pop();
    if (after === undefined) return;
    this.past.push(this.settled);
    this.restore(after);
  }

  private restore(text: string): void {
    this.settled = text;
    this.patch = JSON.parse(text) as Patch;
    this.tell("history");
    this.changed();
  }

  /** Send and show what waits for the next frame: whatever is asked of the server now is asked of this state. */
  flush(): void {
    if (!this.isQueued) return;
    this.isQueued = false;
    this.send(this.patch);
    this.tell("patch");
  }

  private changed(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    requestAnimationFrame(() => this.flush());
  }
}
