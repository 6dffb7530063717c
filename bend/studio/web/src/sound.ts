// The panel that lets sound and controllers in.

import { freshId, h, panel } from "./dom";
import { sources } from "./sources";

export function soundPanel(trouble: (text: string) => void): HTMLElement {
  const state = h("p", { class: "hint", role: "status" }, "Sound and controllers move any parameter: press its wave.");
  const say = (error: unknown): void => trouble(error instanceof Error ? error.message : String(error));
  const player = h("div", { class: "player" });
  const id = freshId("track");
  const file = h("input", { type: "file", accept: "audio/*", id, class: "visually-hidden" });
  file.addEventListener("change", () => {
    const chosen = file.files?.[0];
    if (!chosen) return;
    const track = sources.play(chosen);
    track.controls = true;
    player.replaceChildren(track);
    state.textContent = `Hearing ${chosen.name}.`;
  });
  const listen = (): void => void sources.listen().then(() => (state.textContent = "Hearing the microphone."), say);
  const midi = (): void => void sources.connectMidi().then((names) => (state.textContent = `MIDI: ${names}.`), say);
  return panel(
    "Sound and MIDI",
    h("div", { class: "row" }, h("button", { type: "button", onclick: listen }, "Microphone"), file, h("label", { for: id, class: "button" }, "Track"), h("button", { type: "button", onclick: midi }, "MIDI")),
    state,
    player,
  );
}
