// The panel that lets sound and controllers in.

import { freshId, h, panel } from "./dom";
import type { Notices } from "./notices";
import { sources } from "./sources";

export function soundPanel(notices: Notices): HTMLElement {
  const state = h("p", { class: "hint", role: "status" }, "Sound and controllers move any parameter: press its wave.");
  const trouble = (error: unknown): void => notices.say(error instanceof Error ? error.message : String(error));
  const player = h("div", { class: "player" });
  const id = freshId("track");
  const file = h("input", { type: "file", accept: "audio/*", id, class: "visually-hidden" });
  const heard = (): void => {
    microphone.setAttribute("aria-pressed", String(sources.isListening));
    state.textContent = sources.heard ? `Hearing ${sources.heard}.` : "Nothing is heard.";
  };
  file.addEventListener("change", () => {
    const chosen = file.files?.[0];
    if (!chosen) return;
    sources.play(chosen).then((track) => {
      track.controls = true;
      player.replaceChildren(track);
      heard();
    }, trouble);
    file.value = ""; // so that the same one can be chosen again
  });
  const microphone = h("button", { type: "button", "aria-pressed": "false", onclick: () => void sources.listen().then(heard, trouble) }, "Microphone");
  const midi = (): void => void sources.connectMidi().then((names) => (state.textContent = `MIDI: ${names}.`), trouble);
  return panel(
    "Sound and MIDI",
    h("div", { class: "row" }, microphone, file, h("label", { for: id, class: "button" }, "Track"), h("button", { type: "button", onclick: midi }, "MIDI")),
    state,
    player,
  );
}
