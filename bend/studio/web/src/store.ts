// The state of the instrument in the page: one patch, its history, and who wants to know of changes.
//
// What travels, what is undone and what another page played are all changes: the fields of a patch that are others. So
// two pages, or a page and its own past, only meet where they have moved the same thing.

import type { Changes, Graph, Patch, Shelf, Start } from "./types";

type Listener = () => void;

/** A step of the history: fields as they were, and as they are since. */
interface Step {
  before: Changes;
  after: Changes;
}

const SETTLED_MS = 350;
const MOST_STEPS = 200;

export class Store {
  patch: Patch;
  graph: Graph;
  shelf: Shelf;
  readonly bends: Start["bends"];
  readonly edges: string[];
  selected: string | null = null;
  /** Sends changes, and gives the number of the gesture; null if nobody hears it. Set by the connection. */
  send: (changes: Changes) => number | null = () => null;
  private listeners = new Map<string, Set<Listener>>();
  private past: Step[] = [];
  private future: Step[] = [];
  /** The patch as of the last step. */
  private settled: Patch;
  /** The patch as the server knows it. */
  private known: Patch;
  /** Which gesture last told the server of a field. */
  private readonly toldIn = new Map<string, number>();
  private timer = 0;
  private isQueued = false;

  constructor(start: Start) {
    this.patch = start.patch;
    this.graph = start.graph;
    this.shelf = start.state;
    this.bends = start.bends;
    this.edges = start.edges;
    this.settled = structuredClone(this.patch);
    this.known = structuredClone(this.patch);
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

  /** What another page played, when the server had heard this page's gestures up to that number. */
  follow(patch: Patch, heard: number): void {
    const theirs = this.theirs(patch, heard);
    if (Object.keys(theirs).some((name) => !isSame(this.settled, this.patch, name))) this.settle();
    Object.assign(this.settled, structuredClone(theirs));
    this.put(theirs);
  }

  /** What is played instead of this page's last gesture, which the server refused. */
  refused(patch: Patch, heard: number): void {
    clearTimeout(this.timer);
    const theirs = this.theirs(patch, heard);
    Object.assign(this.settled, structuredClone(theirs));
    this.put(theirs);
    this.changed();
  }

  /** The connection is there (again): the server has heard nothing over it yet. */
  connected(): void {
    this.toldIn.clear();
  }

  /** What is played after a connection was lost; what was moved meanwhile is told now. */
  rejoin({ patch, graph, state }: Start): void {
    if (graph.network !== this.graph.network) this.selected = null;
    this.graph = graph;
    this.shelf = state;
    this.follow(patch, 0);
    this.tell("shelf");
    this.tell("graph");
    this.changed();
  }

  settle(): void {
    clearTimeout(this.timer);
    const after = changes(this.settled, this.patch);
    const before = changes(this.patch, this.settled);
    if (Object.keys(after).length === 0) return;
    this.past = [...this.past.slice(-MOST_STEPS), { before, after }];
    this.future = [];
    this.settled = structuredClone(this.patch);
    this.tell("history");
  }

  /** Whether the last change is a step of its own already, so that the next will be another. */
  get isSettled(): boolean {
    return Object.keys(changes(this.settled, this.patch)).length === 0;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  undo(): void {
    this.settle();
    const step = this.past.pop();
    if (!step) return;
    this.future.push(step);
    this.restore(step.before);
  }

  redo(): void {
    this.settle();
    const step = this.future.pop();
    if (!step) return;
    this.past.push(step);
    this.restore(step.after);
  }

  /** Send and show what waits for the next frame: whatever is asked of the server now is asked of this state. */
  flush(): void {
    if (!this.isQueued) return;
    this.isQueued = false;
    const news = changes(this.known, this.patch);
    const gesture = this.send(news);
    if (gesture !== null) {
      Object.assign(this.known, news);
      for (const name of Object.keys(news)) this.toldIn.set(name, gesture);
    }
    this.tell("patch");
  }

  private restore(fields: Changes): void {
    Object.assign(this.patch, structuredClone(fields));
    this.settled = structuredClone(this.patch);
    this.tell("history");
    this.changed();
  }

  /** The fields of a patch that are the server's to say: neither waiting here nor on their way to it. */
  private theirs(patch: Patch, heard: number): Changes {
    const fields = Object.entries(patch).filter(([name]) => (this.toldIn.get(name) ?? 0) <= heard);
    const waiting = changes(this.known, this.patch);
    Object.assign(this.known, structuredClone(Object.fromEntries(fields)));
    return changes(this.patch, Object.fromEntries(fields.filter(([name]) => !(name in waiting))));
  }

  private put(fields: Changes): void {
    Object.assign(this.patch, fields);
    this.tell("patch");
  }

  private changed(): void {
    if (this.isQueued) return;
    this.isQueued = true;
    requestAnimationFrame(() => this.flush());
  }
}

/** The fields in which a patch is another than before, as they are now. */
function changes(before: Patch, now: Changes): Changes {
  return structuredClone(Object.fromEntries(Object.entries(now).filter(([name]) => !isSame(before, now, name))));
}

function isSame(one: Changes, other: Changes, name: string): boolean {
  return JSON.stringify(one[name as keyof Patch]) === JSON.stringify(other[name as keyof Patch]);
}
