// The page: fetches what there is, builds its panels, and joins them to the socket.

import "./styles/index.css";
import { Dice } from "./chance";
import { Connection, type Words } from "./connection";
import { Desk } from "./desk";
import { h, iconButton } from "./dom";
import { NetworkGraph } from "./graph";
import { Keep } from "./keep";
import { LatentMap } from "./map";
import { Picture } from "./picture";
import { Rack } from "./rack";
import { soundPanel } from "./sound";
import { sources } from "./sources";
import { Store } from "./store";
import { Train } from "./train";
import type { Graph, Patch, Shelf, Start } from "./types";

type Say = (message: { do: string } & Record<string, unknown>) => void;

const REFRESH_MS = 2500;
/** After a press, frames that were drawn before it are still on their way. */
const PRESS_HOLDS_MS = 1000;
const VIEWS = ["play", "bends", "keep", "train"] as const;

async function begin(): Promise<void> {
  const page = document.getElementById("studio")!;
  const response = await fetch("/start");
  if (!response.ok) {
    page.replaceChildren(h("p", { class: "opening" }, await response.text()));
    return;
  }
  if (location.search) history.replaceState(null, "", "/");
  build(page, (await response.json()) as Start);
}

function build(page: HTMLElement, start: Start): void {
  const store = new Store(start);
  let connection: Connection | null = null;
  const say: Say = (message) => {
    store.flush();
    connection?.say(message);
  };

  const picture = new Picture();
  const map = new LatentMap(store, say);
  const graph = new NetworkGraph(store, say);
  const rack = new Rack(store, say);
  const desk = new Desk(store);
  const dice = new Dice(store, say);
  const keep = new Keep(store, say);
  const train = new Train(store, say);
  const trouble = notices();
  const meter = h("span", { class: "meter", title: "frames a second; gesture to picture" }, "");
  const record = recordButton(say, () => connection?.lag ?? 0);

  store.send = (patch) => connection?.play(patch);
  const header = topBar(store, record.root, meter, picture);
  page.replaceChildren(
    header,
    h(
      "main",
      { class: "stage", "data-view": "play" },
      shown(picture.root, "play bends keep"),
      h("div", { class: "column left" }, shown(map.root, "play"), shown(desk.look, "play")),
      h("div", { class: "column desk" }, shown(desk.dial, "play")),
      shown(graph.root, "bends"),
      h(
        "div",
        { class: "column side" },
        shown(rack.root, "bends"),
        shown(dice.root, "bends"),
        shown(keep.root, "keep"),
        shown(soundPanel(trouble.say), "keep"),
      ),
      shown(train.root, "train"),
    ),
    trouble.root,
  );
  keys(store, record.press);

  const rate = frameRate();
  connection = new Connection({
    frame: (frame, blob) => {
      void picture.show(frame, blob).then(() => connection?.shown(frame));
      if (store.patch.wander.on) map.at(frame.place);
      record.update(frame.is_recording, frame.seconds);
      meter.textContent = `${frame.size[0]}px ${rate()}/s ${Math.round(connection?.lag ?? 0)}ms`;
    },
    picture: (meta, blob) => {
      if (meta.kind === "maps") void graph.maps(meta, blob);
      else if (meta.kind === "ground") map.ground(meta, blob);
    },
    state: (isOpen) => {
      document.body.classList.toggle("is-lost", !isOpen);
      if (!isOpen) return;
      say({ do: "refresh" });
      graph.watch();
      rack.askAgain();
    },
    words: (words) => hear(words, { store, say, dice, rack, keep: record.kept, trouble: trouble.say }),
  });
  window.setInterval(() => {
    const isBusy = store.shelf.jobs.some(({ state }) => state === "running" || state === "waiting");
    if (isBusy && !document.hidden) say({ do: "refresh" });
  }, REFRESH_MS);
  // For whoever plays the page by script: the tests, the benchmark, a curious person at the console.
  Object.assign(window, { bendStudio: { store, sources, connection } });
}

/** Which views of a narrow screen a panel is in. */
function shown(panel: HTMLElement, views: string): HTMLElement {
  panel.dataset["in"] = views;
  return panel;
}

interface Hearers {
  store: Store;
  say: Say;
  dice: Dice;
  rack: Rack;
  keep: (words: Words) => void;
  trouble: (text: string) => void;
}

function hear(words: Words, { store, say, dice, rack, keep, trouble }: Hearers): void {
  switch (words.kind) {
    case "state":
      store.shelf = words as unknown as Shelf;
      store.tell("shelf");
      break;
    case "patch":
      store.follow(words["patch"] as Patch);
      break;
    case "graph":
      store.graph = words as unknown as Graph;
      store.selected = null;
      store.tell("graph");
      store.tell("patch");
      break;
    case "opening":
      trouble(`Opening ${store.shelf.standing.find(({ name }) => name === words["network"])?.title ?? "the network"}…`);
      break;
    case "opened":
      say({ do: "graph" });
      break;
    case "jobs":
      say({ do: "refresh" });
      break;
    case "chance":
      dice.heard(words);
      break;
    case "finished":
      if (words["what"] === "roll") dice.finished();
      break;
    case "clusters":
      rack.heardClusters(words);
      break;
    case "parted":
      trouble(`A film has one ${String(words["what"])}: the recording goes on as another take.`);
      break;
    case "full":
      trouble(`A take has ${String(words["minutes"])} minutes at most: what is played now is not recorded. Press record to keep the take.`);
      break;
    case "kept":
      keep(words);
      break;
    case "trouble":
      trouble(String(words["text"]));
      break;
  }
}

function topBar(store: Store, record: HTMLElement, meter: HTMLElement, picture: Picture): HTMLElement {
  const undo = iconButton("undo", "Undo", () => store.undo());
  const redo = iconButton("redo", "Redo", () => store.redo());
  const history = (): void => {
    undo.disabled = !store.canUndo;
    redo.disabled = !store.canRedo;
  };
  store.on("history", history);
  const pixels = iconButton("pixels", "Square pixels", () => {
    picture.isSquare = !picture.isSquare;
    pixels.setAttribute("aria-pressed", String(picture.isSquare));
    store.change(() => {}, true);
  }, { "aria-pressed": "false" });
  const full = iconButton("full", "Whole screen", () => void (document.fullscreenElement ? document.exitFullscreen() : picture.root.requestFullscreen()));
  const views = VIEWS.map((view) =>
    h("button", { type: "button", class: "view", "data-view": view, "aria-pressed": String(view === "play"), onclick: () => show(view) }, view[0]!.toUpperCase() + view.slice(1)),
  );
  const show = (view: string): void => {
    document.querySelector<HTMLElement>("main")!.dataset["view"] = view;
    for (const one of views) one.setAttribute("aria-pressed", String(one.dataset["view"] === view));
  };
  return h("header", { class: "top" }, h("h1", {}, "bend ", h("span", {}, "studio")), h("nav", { "aria-label": "Views" }, ...views), meter, h("div", { class: "tools" }, undo, redo, record, pixels, full, themeButton()));
}

function themeButton(): HTMLElement {
  const kept = localStorage.getItem("bend-theme");
  if (kept) document.documentElement.dataset["theme"] = kept;
  return iconButton("sun", "Dark or light", () => {
    const now = document.documentElement.dataset["theme"] ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
    const next = now === "dark" ? "light" : "dark";
    document.documentElement.dataset["theme"] = next;
    localStorage.setItem("bend-theme", next);
  });
}

/** Shows what was pressed at once, and goes by it; frames that were drawn before say nothing about it. */
function recordButton(say: Say, lag: () => number): { root: HTMLElement; press: () => void; update: (isOn: boolean, seconds: number) => void; kept: (words: Words) => void } {
  let isOn = false;
  let heldUntil = 0;
  const time = h("span", { class: "record-time", "aria-live": "off" }, "");
  const show = (next: boolean, text: string): void => {
    isOn = next;
    root.setAttribute("aria-pressed", String(isOn));
    time.textContent = text;
  };
  const press = (): void => {
    say({ do: isOn ? "end-record" : "record" });
    heldUntil = performance.now() + PRESS_HOLDS_MS + 2 * lag();
    show(!isOn, "");
  };
  const root = h("button", { type: "button", class: "record", "aria-pressed": "false", "aria-label": "Record what is played", title: "Record what is played (R)", onclick: press }, h("span", { class: "record-dot" }), time);
  const update = (next: boolean, seconds: number): void => {
    if (next !== isOn && performance.now() < heldUntil) return;
    if (next) show(true, `${seconds.toFixed(1)} s`);
    else if (isOn) show(false, "");
  };
  const kept = (words: Words): void => {
    if (isOn) return; // another one is being recorded already
    time.textContent = (words["names"] as string[]).join(", ");
    window.setTimeout(() => !isOn && (time.textContent = ""), 4000);
  };
  return { root, press, update, kept };
}

function notices(): { root: HTMLElement; say: (text: string) => void } {
  const root = h("div", { class: "notices", role: "status", "aria-live": "polite" });
  let last = "";
  return {
    root,
    say: (text) => {
      if (text === last && root.childElementCount) return;
      last = text;
      const note = h("p", { class: "notice" }, text);
      root.append(note);
      while (root.childElementCount > 3) root.firstElementChild!.remove();
      window.setTimeout(() => note.remove(), 6000);
    },
  };
}

function keys(store: Store, record: () => void): void {
  window.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    const isTyping = target.matches("input:not([type=range]), select, textarea");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !isTyping) {
      event.preventDefault();
      if (event.shiftKey) store.redo();
      else store.undo();
    } else if (event.key.toLowerCase() === "r" && !event.repeat && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      record();
    }
  });
}

function frameRate(): () => number {
  let times: number[] = [];
  return () => {
    const now = performance.now();
    times = [...times.filter((time) => now - time < 1000), now];
    return times.length;
  };
}

void begin();
