// What is kept: presets and the morph between two, takes and their films, pictures and recipes.

import { choice, fill, h, iconButton, keyedList, numberField, panel } from "./dom";
import { between } from "./morph";
import type { Notices } from "./notices";
import type { Store } from "./store";
import type { Job, Patch, Preset, Take } from "./types";

/** A take, and the job that films it. */
interface TakeNow extends Take {
  job: Job | undefined;
}

export class Keep {
  readonly root: HTMLElement;
  private readonly presets = h("ul", { class: "presets", "aria-label": "Presets" });
  private readonly takes = h("ul", { class: "takes", "aria-label": "Takes and films" });
  private readonly share = h("input", { type: "range", min: 0, max: 1, step: 0.001, value: 0, "aria-label": "Morph from one preset to the other", class: "share" });
  private seconds = 8;
  private filmSeconds = 10;
  private running = 0;
  private readonly drawPresets = keyedList<Preset>(this.presets, ({ name }) => name, (preset) => this.preset(preset));
  private readonly drawTakes = keyedList<TakeNow>(this.takes, ({ name }) => name, (take) => this.take(take));

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
    private readonly notices: Notices,
  ) {
    this.share.style.setProperty("--at", "0%");
    const name = h("input", { type: "text", maxlength: 60, "aria-label": "Name of the preset", placeholder: "name of the preset" });
    const keep = (event: Event): void => {
      event.preventDefault();
      this.say({ do: "keep-preset", name: name.value.trim() });
    };
    // A name that was refused stays to be mended.
    const forgetKept = (): void => {
      if (store.shelf.presets.some((preset) => preset.name === name.value.trim())) name.value = "";
    };
    const from = choice("from", [], "", () => this.morph());
    const to = choice("to", [], "", () => this.morph());
    store.on("shelf", forgetKept);
    this.ends = () => [from.select.value, to.select.value];
    this.share.addEventListener("input", () => this.morph());
    const going = h("button", { type: "button", onclick: () => this.glide() }, "Glide");
    this.root = panel(
      "Keep",
      h("form", { class: "row", onsubmit: keep }, name, h("button", { type: "submit", class: "primary" }, "Keep preset")),
      this.presets,
      h("div", { class: "morph" }, h("h3", {}, "Morph"), h("div", { class: "row" }, from.root, to.root), this.share, h("div", { class: "row" }, going, numberField("seconds", this.seconds, (value) => (this.seconds = value), { min: 0.2, max: 600, step: "any" }).root)),
      h("h3", {}, "Pictures and films"),
      h(
        "div",
        { class: "row" },
        h("a", { class: "button", href: "/picture.png", download: "studio.png" }, "Picture (PNG)"),
        h("a", { class: "button", href: "/recipe", download: "" }, "Recipe"),
        h("button", { type: "button", onclick: () => this.say({ do: "film", seconds: this.filmSeconds }) }, "Film (MP4)"),
        numberField("seconds", this.filmSeconds, (value) => (this.filmSeconds = value), { min: 1, max: 600, step: 1 }).root,
      ),
      this.takes,
    );
    store.on("shelf", () => {
      const { presets, takes, jobs } = store.shelf;
      this.drawPresets(presets);
      this.drawTakes(takes.map((take) => ({ ...take, job: jobs.find((one) => one.kind === "film" && one.output === `${take.name}.mp4`) })));
      const options = presets.map((one): [string, string] => [one.name, one.name]);
      fill(from.select, options, from.select.value || options[0]?.[0] || "");
      fill(to.select, options, to.select.value || options[1]?.[0] || "");
      this.root.classList.toggle("can-morph", options.length > 1);
    });
  }

  private ends: () => [string, string] = () => ["", ""];

  private preset(preset: Preset): HTMLElement {
    return h(
      "li",
      { class: "preset" },
      h(
        "button",
        { type: "button", class: "preset-take", "aria-label": `Play ${preset.name}`, onclick: () => this.play(preset) },
        h("img", { src: preset.picture, alt: "", width: 64, height: 64 }),
        h("span", {}, preset.name),
      ),
      iconButton("close", `Forget ${preset.name}`, () => this.say({ do: "drop-preset", name: preset.name })),
    );
  }

  private take({ name, is_rendered, job }: TakeNow): HTMLElement {
    const isBusy = job?.state === "running" || job?.state === "waiting";
    return h(
      "li",
      { class: "take" },
      h("span", { class: "take-name" }, name),
      isBusy
        ? h("span", { class: "hint" }, `${job.state}, ${Math.round(job.seconds)} s`)
        : is_rendered
          ? h("a", { class: "button", href: `/takes/${encodeURIComponent(name)}.mp4`, target: "_blank", rel: "noopener", "aria-label": `Film of ${name}` }, "Film")
          : h("button", { type: "button", "aria-label": `Render ${name}`, onclick: () => this.say({ do: "render-take", name }) }, "Render"),
      h("a", { class: "button quiet", href: `/takes/${encodeURIComponent(name)}.zip`, download: `${name}.zip`, "aria-label": `Recipe of ${name}` }, "Recipe"),
      job?.state === "failed" && h("span", { class: "failed" }, job.line),
    );
  }

  private play(preset: Preset): void {
    if (isWhole(preset.patch, this.store.patch)) this.store.take(preset.patch);
    else this.notices.say(`The preset ${preset.name} cannot be read; forget it, or mend its file.`);
  }

  private patches(): [Patch, Patch] | null {
    const [from, to] = this.ends().map((name) => this.store.shelf.presets.find((preset) => preset.name === name)?.patch);
    return isWhole(from, this.store.patch) && isWhole(to, this.store.patch) ? [from, to] : null;
  }

  private morph(passing = false): void {
    const ends = this.patches();
    this.share.style.setProperty("--at", `${100 * this.share.valueAsNumber}%`);
    if (!ends) return;
    const patch = between(ends[0], ends[1], this.share.valueAsNumber);
    this.store.change((now) => Object.assign(now, patch), passing);
  }

  private glide(): void {
    cancelAnimationFrame(this.running);
    const began = performance.now();
    const from = this.share.valueAsNumber;
    const to = from < 0.5 ? 1 : 0;
    const step = (now: number): void => {
      const u = Math.min((now - began) / 1000 / this.seconds, 1);
      this.share.value = String(from + (to - from) * u * u * (3 - 2 * u));
      this.morph(u < 1);
      if (u < 1) this.running = requestAnimationFrame(step);
    };
    this.running = requestAnimationFrame(step);
  }
}

/** Whether something has the fields of a patch, all of them of the kind that one that is played has. */
function isWhole(patch: unknown, played: Patch): patch is Patch {
  return hasFields(patch, { ...played, class_index: null, kimg: null, dial: { ...played.dial, base: null }, place: { ...played.place, to: null } });
}

function hasFields(value: unknown, like: unknown): boolean {
  if (like === null) return value !== undefined;
  if (Array.isArray(like)) return Array.isArray(value);
  if (typeof like !== "object") return typeof value === typeof like;
  return typeof value === "object" && value !== null && Object.entries(like!).every(([name, one]) => hasFields((value as Record<string, unknown>)[name], one));
}
