// Trainings: begun, watched, stopped and taken up again; they go on when the page is closed.

import { choice, fill, h, keyedList, numberField, panel, s, withFocus } from "./dom";
import type { Store } from "./store";
import type { Job, Run } from "./types";

export class Train {
  readonly root: HTMLElement;
  private readonly jobs = h("ul", { class: "jobs", "aria-label": "Jobs" });
  private readonly runs = h("div", { class: "runs" });
  private readonly answers: Record<string, unknown> = { kimg: 1, mirror: true, until: "none" };
  private readonly drawJobs = keyedList<Job>(this.jobs, ({ number }) => String(number), (job) => this.job(job));
  private drawn = "";

  constructor(
    private readonly store: Store,
    private readonly say: (message: { do: string } & Record<string, unknown>) => void,
  ) {
    const set = (name: string) => (value: unknown) => (this.answers[name] = value);
    const base = choice("bend this network", [], "", set("base"));
    const data = choice("with these pictures", [], "", set("data"));
    const until = choice(
      "stop",
      [
        ["none", "at the length"],
        ["knee", "at the knee: it leaves home"],
        ["crossing", "at the crossing"],
        ["collapse", "before it collapses"],
      ],
      "none",
      set("until"),
    );
    const kimg = numberField("length, in thousands of pictures", 1, set("kimg"), { min: 0.001, max: 1e6, step: "any" });
    const snapshots = h("input", { type: "text", id: "train-snapshots", placeholder: "log", oninput: () => (this.answers["snapshots"] = snapshots.value) });
    const begin = (event: Event): void => {
      event.preventDefault();
      this.say({ do: "train", answers: { ...this.answers, base: base.select.value, data: data.select.value } });
    };
    const form = h(
      "form",
      { class: "train-form", onsubmit: begin },
      base.root,
      data.root,
      kimg.root,
      until.root,
      h("div", { class: "field" }, h("label", { for: "train-snapshots" }, "snapshots"), snapshots),
      h("button", { type: "submit", class: "primary" }, "Train"),
    );
    this.root = h(
      "div",
      { class: "train" },
      panel("Bend by training", h("p", { class: "hint" }, "The generator learns other pictures, and somewhere along the way it breaks well. It goes on when this page is closed."), form, this.jobs),
      this.runs,
    );
    store.on("shelf", () => {
      const { standing, data_sets, may_train } = store.shelf;
      form.hidden = !may_train;
      fill(base.select, standing.map(({ name, title }) => [name, title]), base.select.value || store.patch.network);
      fill(data.select, data_sets.map((name) => [name, name]), data.select.value || (data_sets[0] ?? ""));
      this.drawJobs(store.shelf.jobs.filter(({ kind }) => kind === "train"));
      this.drawRuns();
    });
  }

  private job(job: Job): HTMLElement {
    const isOver = !["running", "waiting"].includes(job.state);
    const stop = (name: string, text: string): HTMLElement =>
      h("button", { type: "button", "aria-label": name, onclick: () => this.say({ do: "stop-job", number: job.number }) }, text);
    return h(
      "li",
      { class: `job is-${job.state}` },
      h("strong", {}, job.title),
      h("span", { class: "job-state" }, `${job.is_stopping ? "stopping" : job.state}${job.seconds ? `, ${Math.round(job.seconds)} s` : ""}`),
      !isOver && !job.is_stopping && stop(`Stop ${job.title}`, "Stop"),
      h("p", { class: "hint mono" }, job.line),
      // Elsewhere than the first one, which a double click would press twice.
      job.is_stopping && stop(`End ${job.title} at once`, "End at once"),
    );
  }

  private drawRuns(): void {
    const key = JSON.stringify([this.store.shelf.runs, this.store.shelf.jobs.map(({ state }) => state)]);
    if (key === this.drawn) return;
    this.drawn = key;
    withFocus(this.runs, () => this.runs.replaceChildren(...[...this.store.shelf.runs].reverse().map((run) => this.run(run))));
  }

  private run(run: Run): HTMLElement {
    const done = run.kimg_wanted ? Math.min(run.kimg / run.kimg_wanted, 1) : 0;
    const picture = run.pictures.filter((name) => /^fakes\d{6}\.png$/.test(name)).at(-1) ?? run.pictures.find((name) => name === "fakes_init.png");
    const bar = h("progress", { max: 1, value: done, "aria-label": `${run.name}: how far` });
    const isBusy = this.store.shelf.jobs.some(({ kind, state }) => kind === "train" && state === "running");
    const image = (name: string, alt: string, look = ""): HTMLElement => {
      const href = `/runs/${encodeURIComponent(run.name)}/${name}`;
      return h("a", { class: look, href, target: "_blank", rel: "noopener" }, h("img", { src: `${href}?at=${run.kimg}`, alt, loading: "lazy" }));
    };
    return panel(
      run.name,
      h("p", { class: "hint" }, `${run.base} on ${run.data}: ${Number(run.kimg.toFixed(3))}${run.kimg_wanted ? ` of ${run.kimg_wanted}` : ""} kimg, ${run.moments.length} snapshots`),
      bar,
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", disabled: run.moments.length === 0, "aria-label": `Play ${run.name}`, onclick: () => this.play(run) }, "Play it"),
        run.can_resume && h("button", { type: "button", disabled: isBusy, "aria-label": `Go on with ${run.name}`, onclick: () => this.say({ do: "resume", run: run.name, kimg: done >= 1 ? (run.kimg_wanted ?? run.kimg) * 2 : undefined }) }, done >= 1 ? "Go on, twice as far" : "Go on"),
      ),
      run.score && run.score.kimg.length > 1 && this.curves(run.score),
      h("div", { class: "run-pictures" }, picture && image(picture, `What ${run.name} draws now`), run.pictures.includes("timeline.png") && image("timeline.png", `The same seeds through ${run.name}`, "run-timeline")),
    );
  }

  private play(run: Run): void {
    const network = `run:${run.name}`;
    this.store.take({ ...structuredClone(this.store.patch), network, kimg: null, dial: { base: null, amount: "1" } });
    document.querySelector<HTMLButtonElement>('[data-view="play"]')?.click();
  }

  private curves(score: NonNullable<Run["score"]>): HTMLElement {
    const [width, height] = [320, 84];
    const drawing = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "curves", role: "img", "aria-label": "How far from home, and how diverse, over the training" });
    const x = (i: number): number => 6 + (i * (width - 12)) / Math.max(score.kimg.length - 1, 1);
    const line = (values: number[], look: string): void => {
      const top = Math.max(...values, 1e-9);
      const points = values.map((value, i) => `${x(i)},${height - 8 - (value / top) * (height - 16)}`);
      drawing.append(s("polyline", { points: points.join(" "), class: look }));
    };
    line(score.from_home, "curve-home");
    line(score.diversity, "curve-diversity");
    for (const kimg of Object.values(score.moments)) {
      const i = score.kimg.indexOf(kimg);
      if (i >= 0) drawing.append(s("line", { x1: x(i), x2: x(i), y1: 4, y2: height - 4, class: "curve-moment" }));
    }
    const moments = Object.entries(score.moments).map(([name, kimg]) => `${name} at ${kimg}`);
    return h("figure", { class: "score" }, drawing as unknown as HTMLElement, h("figcaption", { class: "hint" }, h("span", { class: "key-home" }, "from home"), " ", h("span", { class: "key-diversity" }, "diversity"), moments.length ? `; ${moments.join(", ")} kimg` : ""));
  }
}
