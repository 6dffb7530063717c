// What is kept: presets and the morph between two, takes and their films, pictures and recipes.

import { choice, fill, h, iconButton, numberField, panel } from "./dom";
import { between } from "./morph";
import type { Store } from "./store";
import type { Patch } from "./types";

export class Keep {
  readonly root: HTMLElement;
  private readonly presets = h("ul", { class: "presets", "aria-label": "Presets" });
  private readonly takes = h("ul", { class: "takes", "aria-label": "Takes and films" });
  private readonly share = h("input", { type: "range", min: 0, max: 1, step: 0.001, value: 0, "aria-label": "Morph from one preset to the other", class: "share" });
  private seconds = 8;
  private filmSeconds = 10;
  private running = 0;

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
  ) {
    const name = h("input", { type: "text", maxlength: 60, "aria-label": "Name of the preset", placeholder: "name of the preset" });
    const keep = (event: Event): void => {
      event.preventDefault();
      this.say({ do: "keep-preset", name: name.value.trim() });
      name.value = "";
    };
    const from = choice("from", [], "", () => this.morph());
    const to = choice("to", [], "", () => this.morph());
    this.ends = () => [from.select.value, to.select.value];
    this.share.addEventListener("input", () => this.morph());
    const going = h("button", { type: "button", onclick: () => this.glide() }, "Glide");
    this.root = panel(
      "Keep",
      h("form", { class: "row", onsubmit: keep }, name, h("button", { type: "submit", class: "primary" }, "Keep preset")),
      this.presets,
      h("div", { class: "morph" }, h("h3", {}, "Morph"), h("div", { class: "row" }, from.root, to.root), this.share, h("div", { class: "row" }, going, numberField("seconds", this.seconds, (value) => (this.seconds = Math.max(value, 0.2)), { min: 0.2, step: "any" }).root)),
      h("h3", {}, "Pictures and films"),
      h(
        "div",
        { class: "row" },
        h("a", { class: "button", href: "/picture.png", download: "studio.png" }, "Picture (PNG)"),
        h("a", { class: "button", href: "/recipe", download: "" }, "Recipe"),
        h("button", { type: "button", onclick: () => this.say({ do: "film", seconds: this.filmSeconds }) }, "Film (MP4)"),
        numberField("seconds", this.filmSeconds, (value) => (this.filmSeconds = Math.min(Math.max(Math.round(value), 1), 600)), { min: 1, max: 600 }).root,
      ),
      this.takes,
    );
    store.on("shelf", () => {
      this.draw();
      const options = store.shelf.presets.map((one): [string, string] => [one.name, one.name]);
      fill(from.select, options, from.select.value || options[0]?.[0] || "");
      fill(to.select, options, to.select.value || options[1]?.[0] || "");
      this.root.classList.toggle("can-morph", options.length > 1);
    });
  }

  private ends: () => [string, string] = () => ["", ""];

  private draw(): void {
    const { presets, takes, jobs } = this.store.shelf;
    this.presets.replaceChildren(
      ...presets.map((preset) =>
        h(
          "li",
          { class: "preset" },
          h(
            "button",
            { type: "button", class: "preset-take", "aria-label": `Play ${preset.name}`, onclick: () => this.store.take(preset.patch) },
            h("img", { src: preset.picture, alt: "", width: 64, height: 64 }),
            h("span", {}, preset.name),
          ),
          iconButton("close", `Forget ${preset.name}`, () => this.say({ do: "drop-preset", name: preset.name })),
        ),
      ),
    );
    this.takes.replaceChildren(
      ...takes.map(({ name, is_rendered }) => {
        const job = jobs.find((one) => one.kind === "film" && one.output === `${name}.mp4`);
        const isBusy = job?.state === "running" || job?.state === "waiting";
        return h(
          "li",
          { class: "take" },
          h("span", { class: "take-name" }, name),
          isBusy
            ? h("span", { class: "hint" }, `${job.state}, ${Math.round(job.seconds)} s`)
            : is_rendered
              ? h("a", { class: "button", href: `/takes/${name}.mp4`, target: "_blank", rel: "noopener", "aria-label": `Film of ${name}` }, "Film")
              : h("button", { type: "button", "aria-label": `Render ${name}`, onclick: () => this.say({ do: "render-take", name }) }, "Render"),
          h("a", { class: "button quiet", href: `/takes/${name}.zip`, download: `${name}.zip`, "aria-label": `Recipe of ${name}` }, "Recipe"),
          job?.state === "failed" && h("span", { class: "failed" }, job.line),
        );
      }),
    );
  }

  private patches(): [Patch, Patch] | null {
    const found = this.ends().map((name) => this.store.shelf.presets.find((preset) => preset.name === name)?.patch);
    return found[0] && found[1] ? [found[0], found[1]] : null;
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
