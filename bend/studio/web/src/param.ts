// A parameter: a slider, its number, and what may move it over time.

import { choice, freshId, h, iconButton, numberField } from "./dom";
import { isTyped } from "./keys";
import { sources, type Band } from "./sources";
import type { Parameter } from "./types";

export interface ParamOptions {
  /** The same for the same parameter when it is drawn anew. */
  id: string;
  label: string;
  low: number;
  high: number;
  step?: number;
  hardLow?: number;
  hardHigh?: number;
  /** Goes back to this on a double click. */
  rest?: number;
  /** What is read and typed as a number, where that is not the slider's own. */
  scale?: Scale;
  get: () => string;
  set: (text: string, passing: boolean) => void;
  name?: string;
}

/** From a slider's place to the number that stands for it, and back. */
export interface Scale {
  toNumber: (place: number) => number;
  toPlace: (number: number) => number;
}

export interface Param {
  root: HTMLElement;
  update: () => void;
}

const LFO = /^lfo\((\w+),(-?[\d.e+-]+)\.\.(-?[\d.e+-]+),([\d.e+-]+)s/;

const PLAIN: Scale = { toNumber: (place) => place, toPlace: (number) => number };

export function param(options: ParamOptions): Param {
  const { id, label, low, high } = options;
  const { toNumber, toPlace } = options.scale ?? PLAIN;
  const called = options.name ?? label;
  const step = options.step ?? niceStep(high - low);
  const inputId = freshId("param");
  const range = h("input", { id: inputId, type: "range", min: low, max: high, step });
  const number = h("input", { type: "number", step: "any", class: "value", "aria-label": `${called}, number` });
  const wave = iconButton("wave", `Move ${called} over time`, () => open(drawer.hidden !== false), {
    "aria-expanded": "false",
  });
  const drawer = h("div", { class: "drawer", hidden: true });
  const root = h("div", { class: "param" }, h("label", { for: inputId, title: label }, label), range, number, wave, drawer);

  const [lowest, highest] = [options.hardLow ?? low, options.hardHigh ?? high];
  const put = (value: number, passing = false): void => {
    const bounded = Math.min(Math.max(value, lowest), highest);
    options.set(String(Number(bounded.toPrecision(6))), passing);
    if (!passing) update();
  };
  sources.rebind(id, (value) => put(value, true));
  range.addEventListener("input", () => put(range.valueAsNumber));
  number.addEventListener("change", () => Number.isFinite(number.valueAsNumber) && put(toPlace(number.valueAsNumber)));
  range.addEventListener("dblclick", () => options.rest !== undefined && put(options.rest));

  const open = (isOpen: boolean): void => {
    drawer.hidden = !isOpen;
    wave.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) drawer.replaceChildren(...drawn());
  };

  const drawn = (): HTMLElement[] => {
    const lfo = LFO.exec(options.get());
    const source = sources.of(id);
    const kind = lfo ? "lfo" : (source?.kind ?? "none");
    const spread = (high - low) / 4;
    const here = Number.isFinite(Number(options.get())) ? Number(options.get()) : (low + high) / 2;
    const state = {
      shape: lfo?.[1] ?? "sine",
      from: Number(lfo?.[2] ?? Math.max(here - spread, low)),
      to: Number(lfo?.[3] ?? Math.min(here + spread, high)),
      period: Number(lfo?.[4] ?? 4),
      band: (source?.kind === "sound" ? source.band : "bass") as Band,
    };
    const write = (): void => options.set(`lfo(${state.shape},${state.from}..${state.to},${state.period}s)`, false);
    const rebind = (): void =>
      sources.bind(id, {
        source: kindOf.select.value === "midi" ? { kind: "midi", control: null } : { kind: "sound", band: state.band },
        low: state.from,
        high: state.to,
        move: (value) => put(value, true),
      });
    const kindOf = choice(
      "moved by",
      [
        ["none", "hand"],
        ["lfo", "oscillator"],
        ["sound", "sound"],
        ["midi", "MIDI"],
      ],
      kind,
      (chosen) => {
        sources.release(id);
        if (chosen === "none") put(here);
        else if (chosen === "lfo") write();
        else {
          if (lfo) put(here);
          rebind();
        }
        open(true);
      },
    );
    const again = (): void => (kindOf.select.value === "lfo" ? write() : rebind());
    const parts: HTMLElement[] = [kindOf.root];
    if (kind === "lfo") {
      const shapes: [string, string][] = ["sine", "triangle", "saw", "square"].map((shape) => [shape, shape]);
      parts.push(
        choice("shape", shapes, state.shape, (shape) => ((state.shape = shape), write())).root,
        numberField("seconds", state.period, (value) => ((state.period = value), write()), { min: 0.05, max: 3600, step: "any" }).root,
      );
    }
    if (kind === "sound") {
      const bands: [string, string][] = ["bass", "mid", "treble", "loudness"].map((band) => [band, band]);
      parts.push(choice("band", bands, state.band, (band) => ((state.band = band as Band), rebind())).root);
      if (!sources.heard) parts.push(h("p", { class: "hint" }, "Nothing is heard yet: let the microphone or a track in, under Sound."));
    }
    if (kind === "midi") {
      const control = source?.kind === "midi" ? source.control : null;
      parts.push(h("p", { class: "hint" }, control ? `control ${control}` : "Move the knob on your controller that should do it."));
    }
    if (kind !== "none") {
      const range = { min: toNumber(lowest), max: toNumber(highest), step: options.step === 1 ? 1 : "any" } as const;
      parts.push(
        numberField("from", toNumber(state.from), (value) => ((state.from = toPlace(value)), again()), range).root,
        numberField("to", toNumber(state.to), (value) => ((state.to = toPlace(value)), again()), range).root,
      );
    }
    return parts;
  };

  const update = (): void => {
    const text = options.get();
    const value = Number(text);
    const moved = !Number.isFinite(value) || sources.of(id) !== null;
    root.classList.toggle("is-moved", moved);
    range.disabled = !Number.isFinite(value);
    if (Number.isFinite(value)) {
      if (range.valueAsNumber !== value) range.value = String(value);
      if (!isTyped(number)) number.value = String(Number(toNumber(value).toPrecision(4)));
      number.disabled = false;
    } else {
      number.value = "";
      number.placeholder = "~";
    }
    range.style.setProperty("--at", `${(100 * (Math.min(Math.max(value || 0, low), high) - low)) / (high - low || 1)}%`);
  };
  update();
  return { root, update };
}

/** Where a slider ends, for a parameter that may be nearly anything. */
export function softRange({ name, low, high, neutral, example }: Parameter): [number, number] {
  if (name === "degrees") return [-180, 180];
  if (name === "seed") return [Math.max(low, -1), 999];
  if (high - low <= 20) return [low, high];
  const rest = Math.abs(neutral) > 1e4 ? example : neutral;
  const away = 4 * Math.max(Math.abs(example - rest), Math.abs(example), 1);
  return [Math.max(low, Math.min(rest, 0) - (low < 0 ? away : 0)), Math.min(high, rest + away)];
}

function niceStep(span: number): number {
  return span > 400 ? 1 : span > 40 ? 0.1 : span > 4 ? 0.01 : 0.001;
}
