// The map of latent space: a plane to drag a point over, with small pictures as its ground.

import { choice, h, iconButton, numberField, panel } from "./dom";
import { isTyped } from "./keys";
import { param } from "./param";
import type { Store } from "./store";
import type { Place } from "./types";
import type { Words } from "./connection";

const EXTENT = { seeds: [-0.25, 1.25], pca: [-3, 3] } as const;
const LAST_SEED = 2 ** 32 - 1;
const GROUND_WAIT_MS = 900;

export class LatentMap {
  readonly root: HTMLElement;
  private readonly point = h("div", {
    class: "map-point",
    role: "slider",
    tabindex: 0,
    "aria-label": "Point on the map; arrow keys move it",
    "aria-valuemin": -100,
    "aria-valuemax": 100,
    "aria-valuenow": 0,
  });
  private readonly trail = h("canvas", { class: "map-trail", width: 240, height: 240, "aria-hidden": "true" });
  private readonly pad = h("div", { class: "map-pad" }, this.trail, this.point);
  private groundKey = "";
  private timer = 0;
  private live: Place;

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
  ) {
    this.live = store.patch.place;
    const seeds = ([0, 1, 2] as const).map((i) =>
      numberField(
        ["seed", "seed to the right", "seed below"][i]!,
        store.patch.place.seeds[i],
        (value) => this.store.change((patch) => (patch.place.seeds[i] = value)),
        { min: 0, max: LAST_SEED, step: 1 },
      ),
    );
    const axes = ([0, 1] as const).map((i) =>
      numberField(
        ["axis across", "axis down"][i]!,
        store.patch.place.axes[i],
        (value) => this.store.change((patch) => (patch.place.axes[i] = value)),
        { min: 0, max: 4095, step: 1 },
      ),
    );
    const mode = choice(
      "map",
      [
        ["seeds", "three seeds"],
        ["pca", "principal axes"],
      ],
      store.patch.place.mode,
      (value) =>
        store.change((patch) => {
          patch.place = { ...patch.place, mode: value as Place["mode"], x: 0, y: 0, to: null, share: 0 };
        }),
    );
    const path = choice(
      "walk",
      [
        ["off", "stands still"],
        ["drift", "drifts"],
        ["circle", "circles"],
        ["journey", "from seed to seed"],
      ],
      "off",
      (value) => this.walk(value),
    );
    const speed = this.wanderParam("speed", "speed", 0, 8);
    const reach = this.wanderParam("reach", "reach", 0, 3);
    const dice = iconButton("dice", "Other seeds", () => this.throwSeeds());
    this.root = panel(
      "Map",
      this.pad,
      h("div", { class: "row" }, mode.root, dice),
      h("div", { class: "row seeds" }, ...seeds.map((one) => one.root)),
      h("div", { class: "row axes" }, ...axes.map((one) => one.root)),
      h("div", { class: "row" }, path.root),
      speed.root,
      reach.root,
    );
    this.root.classList.add("map-panel");
    this.listen();
    store.on("patch", () => {
      const { place, wander } = store.patch;
      mode.select.value = place.mode;
      path.select.value = wander.on ? wander.path : "off";
      seeds.forEach(({ input }, i) => !isTyped(input) && (input.value = String(place.seeds[i])));
      axes.forEach(({ input }, i) => !isTyped(input) && (input.value = String(place.axes[i])));
      this.root.classList.toggle("is-pca", place.mode === "pca");
      this.root.classList.toggle("is-walking", wander.on);
      speed.update();
      reach.update();
      if (!wander.on) this.at(place);
      this.groundSoon();
    });
  }

  /** Where the server says that the point is. */
  at(place: Place): void {
    this.live = place;
    const [low, high] = EXTENT[this.store.patch.place.mode];
    const at = (value: number): number => (100 * (value - low)) / (high - low);
    const [x, y] = [at(place.x), at(place.y)];
    this.point.style.left = `${Math.min(Math.max(x, 0), 100)}%`;
    this.point.style.top = `${Math.min(Math.max(y, 0), 100)}%`;
    this.point.setAttribute("aria-valuenow", place.x.toFixed(2));
    this.point.setAttribute("aria-valuetext", `${place.x.toFixed(2)} across, ${place.y.toFixed(2)} down`);
    const context = this.trail.getContext("2d")!;
    context.globalCompositeOperation = "destination-out";
    context.fillStyle = "rgb(0 0 0 / 4%)";
    context.fillRect(0, 0, 240, 240);
    context.globalCompositeOperation = "source-over";
    context.fillStyle = "#ffcf87";
    context.beginPath();
    context.arc(x * 2.4, y * 2.4, 1.6, 0, 7);
    context.fill();
  }

  ground(meta: Words, picture: Blob): void {
    if (meta["key"] !== this.key()) return;
    this.groundKey = String(meta["key"]);
    const url = URL.createObjectURL(picture);
    const before = this.pad.dataset.url;
    this.pad.dataset.url = url;
    this.pad.style.backgroundImage = `url(${url})`;
    if (before) window.setTimeout(() => URL.revokeObjectURL(before), 1000);
  }

  private wanderParam(name: "speed" | "reach", label: string, low: number, high: number): ReturnType<typeof param> {
    const made = param({
      id: `wander.${name}`,
      label,
      name: `walk's ${label}`,
      low,
      high,
      step: 0.01,
      get: () => String(this.store.patch.wander[name]),
      set: (text, passing) => this.store.change((patch) => (patch.wander[name] = Number(text) || 0), passing),
    });
    made.root.classList.add("only-walking", "no-wave");
    return made;
  }

  private walk(path: string): void {
    this.store.change((patch) => {
      if (path === "off") {
        patch.wander.on = false;
        // A map that was changed meanwhile stays, of which the server has not heard yet; a journey leaves its map.
        if (patch.wander.path === "journey" || groundOf(this.live) === groundOf(patch.place)) patch.place = structuredClone(this.live);
      } else {
        patch.wander.on = true;
        patch.wander.path = path as "drift";
      }
    });
  }

  private throwSeeds(): void {
    const seed = (): number => Math.floor(Math.random() * 100000);
    this.store.change((patch) => {
      patch.place = { ...patch.place, seeds: [seed(), seed(), seed()], x: 0, y: 0, to: null, share: 0 };
    });
  }

  private listen(): void {
    const move = (event: PointerEvent): void => {
      const box = this.pad.getBoundingClientRect();
      const [low, high] = EXTENT[this.store.patch.place.mode];
      const at = (share: number): number => low + share * (high - low);
      this.put(at((event.clientX - box.left) / box.width), at((event.clientY - box.top) / box.height));
    };
    let isDown = false;
    this.pad.addEventListener("pointerdown", (event) => {
      isDown = true;
      this.pad.setPointerCapture(event.pointerId);
      this.point.focus({ preventScroll: true });
      move(event);
    });
    this.pad.addEventListener("pointermove", (event) => isDown && move(event));
    for (const end of ["pointerup", "pointercancel"]) this.pad.addEventListener(end, () => (isDown = false));
    this.point.addEventListener("keydown", (event) => {
      const [low, high] = EXTENT[this.store.patch.place.mode];
      const step = (high - low) / (event.shiftKey ? 20 : 100);
      const moves: Record<string, [number, number]> = {
        ArrowLeft: [-step, 0],
        ArrowRight: [step, 0],
        ArrowUp: [0, -step],
        ArrowDown: [0, step],
      };
      const by = moves[event.key];
      if (!by) return;
      event.preventDefault();
      const { x, y } = this.store.patch.place;
      this.put(x + by[0], y + by[1]);
    });
  }

  private put(x: number, y: number): void {
    const [low, high] = EXTENT[this.store.patch.place.mode];
    const bounded = (value: number): number => Number(Math.min(Math.max(value, low), high).toFixed(4));
    this.store.change((patch) => {
      patch.place.x = bounded(x);
      patch.place.y = bounded(y);
      patch.place.to = null;
      patch.place.share = 0;
    });
    if (!this.store.patch.wander.on) this.at(this.store.patch.place);
  }

  private key(): string {
    return JSON.stringify([this.store.patch.network, groundOf(this.store.patch.place)]);
  }

  private groundSoon(): void {
    if (this.key() === this.groundKey) return;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.say({ do: "ground", key: this.key() }), GROUND_WAIT_MS);
  }
}

/** What a place's map is drawn of: the same for all points on it. */
function groundOf({ mode, seeds, axes }: Place): string {
  return JSON.stringify([mode, seeds, axes]);
}
