// The page: fetches what there is, builds its panels, and joins them to the socket.

import "./styles/index.css";
import { Dice } from "./chance";
import { Connection, type Ears, type Words } from "./connection";
import { Desk } from "./desk";
import { h, iconButton } from "./dom";
import { NetworkGraph } from "./graph";
import { Keep } from "./keep";
import { listenToKeys } from "./keys";
import { LatentMap } from "./map";
import { Meter } from "./meter";
import { Notices } from "./notices";
import { Picture } from "./picture";
import { Rack } from "./rack";
import { RecordButton } from "./record";
import { soundPanel } from "./sound";
import { sources } from "./sources";
import { Store } from "./store";
import { Train } from "./train";
import type { Graph, Patch, Shelf, Start } from "./types";

type Say = (message: { do: string } & Record<string, unknown>) => void;

const REFRESH_MS = 2500;
const LOST = "The connection is lost; trying again.";
const REFUSED = "This page is not known to the studio any more: open the address that the terminal shows.";
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
  store.send = (changes) => connection?.play(changes) ?? null;

  const notices = new Notices();
  const panels: Panels = {
    store,
    say,
    notices,
    picture: new Picture(),
    map: new LatentMap(store, say),
    graph: new NetworkGraph(store, say),
    rack: new Rack(store, say, notices),
    desk: new Desk(store),
    dice: new Dice(store, say),
    keep: new Keep(store, say, notices),
    train: new Train(store, say),
    meter: new Meter(),
    record: new RecordButton(say, () => connection?.lag ?? 0),
  };
  page.replaceChildren(topBar(panels), stage(panels), notices.root);
  listenToKeys(store, () => panels.record.press());

  connection = new Connection(ears(panels, () => connection));
  window.setInterval(() => {
    const isBusy = store.shelf.jobs.some(({ state }) => state === "running" || state === "waiting");
    if (isBusy && !document.hidden) say({ do: "refresh" });
  }, REFRESH_MS);
  // For whoever plays the page by script: the tests, the benchmark, a curious person at the console.
  Object.assign(window, { bendStudio: { store, sources, connection } });
}

interface Panels {
  store: Store;
  say: Say;
  notices: Notices;
  picture: Picture;
  map: LatentMap;
  graph: NetworkGraph;
  rack: Rack;
  desk: Desk;
  dice: Dice;
  keep: Keep;
  train: Train;
  meter: Meter;
  record: RecordButton;
}

function stage({ picture, map, graph, rack, desk, dice, keep, train, notices }: Panels): HTMLElement {
  return h(
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
      shown(soundPanel(notices), "keep"),
    ),
    shown(train.root, "train"),
  );
}

/** Which views of a narrow screen a panel is in. */
function shown(panel: HTMLElement, views: string): HTMLElement {
  panel.dataset["in"] = views;
  return panel;
}

function ears(panels: Panels, connection: () => Connection | null): Ears {
  const { store, notices, picture, map, graph, meter, record } = panels;
  let wasLost = false;
  const setLost = (isLost: boolean): void => {
    document.body.classList.toggle("is-lost", isLost);
    record.isLost = isLost;
  };
  return {
    frame: (frame, blob) => {
      void picture.show(frame, blob).then(() => connection()?.shown(frame));
      if (store.patch.wander.on) map.at(frame.place);
      record.update(frame.is_recording, frame.seconds);
      meter.frame(frame, connection()?.lag ?? 0);
      notices.pictured(frame.number);
    },
    picture: (meta, blob) => {
      if (meta.kind === "maps") void graph.maps(meta, blob);
      else if (meta.kind === "ground") map.ground(meta, blob);
    },
    opened: async () => {
      store.connected();
      if (!wasLost) return;
      picture.restart();
      const response = await fetch("/start");
      store.rejoin((await response.json()) as Start);
      setLost(false);
      notices.pictured(Infinity);
      notices.stand("connection", null);
    },
    lost: (isRefused) => {
      wasLost = true;
      setLost(true);
      meter.lost();
      notices.stand("connection", isRefused ? REFUSED : LOST);
    },
    words: (words) => hear(words, panels, (gestures) => connection()?.ownOf(gestures) ?? 0),
  };
}

function hear(words: Words, { store, say, dice, rack, record, notices }: Panels, ownOf: (gestures: number[]) => number): void {
  switch (words.kind) {
    case "state":
      store.shelf = words as unknown as Shelf;
      store.tell("shelf");
      break;
    case "patch":
      store.follow(words["patch"] as Patch, ownOf(words["heard"] as number[]));
      break;
    case "graph":
      store.graph = words as unknown as Graph;
      store.selected = null;
      store.tell("graph");
      store.tell("patch");
      break;
    case "opening":
      notices.say(`Opening ${store.shelf.standing.find(({ name }) => name === words["network"])?.title ?? "the network"}…`);
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
      notices.say(`A film has one ${String(words["what"])}: the recording goes on as another take.`);
      break;
    case "full":
      notices.say(`A take has ${String(words["minutes"])} minutes at most: what is played now is not recorded. Press record to keep the take.`);
      break;
    case "kept":
      record.kept(words);
      break;
    case "trouble":
      if (words["patch"]) store.refused(words["patch"] as Patch, ownOf(words["heard"] as number[]));
      if (words["frame"] === undefined) notices.say(String(words["text"]));
      else notices.noPicture(String(words["text"]), words["frame"] as number);
      break;
  }
}

function topBar({ store, record, meter, picture }: Panels): HTMLElement {
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
  return h("header", { class: "top" }, h("h1", {}, "bend ", h("span", {}, "studio")), h("nav", { "aria-label": "Views" }, ...views), meter.root, h("div", { class: "tools" }, undo, redo, record.root, pixels, full, themeButton()));
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

void begin();
