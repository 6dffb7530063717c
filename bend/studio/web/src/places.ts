// Which layers a bend suits.

import type { Bend, Graph } from "./types";

/** Every place that a bend suits. */
export function placesOf(bend: Bend, graph: Graph): string[] {
  const found: string[] = [];
  for (const { tap, kind } of graph.layers) {
    const called = kind === "dense" ? "mapping" : kind;
    if (bend.kinds.includes(called)) found.push(tap);
    if (kind === "conv" && bend.kinds.includes("noise")) found.push(`${tap}.noise`);
    if ((kind === "conv" || kind === "torgb") && bend.kinds.includes("bias")) found.push(`${tap}.bias`);
  }
  return found;
}

/** A layer itself, or the nearest place at it that the bend suits. */
export function placeAt(bend: Bend, graph: Graph, tap: string): string {
  const kind = graph.layers.find((layer) => layer.tap === tap)?.kind ?? "conv";
  const called = kind === "dense" ? "mapping" : kind;
  if (bend.kinds.includes(called)) return tap;
  const places = placesOf(bend, graph);
  return places.find((one) => one.startsWith(tap.split(".")[0]!)) ?? places[0] ?? tap;
}

/** Where it goes unless somebody says otherwise: where much of a picture is decided. */
export function usualPlace(bend: Bend, graph: Graph): string {
  const places = placesOf(bend, graph);
  return places.find((tap) => /^b(16|32)\.conv1$/.test(tap)) ?? places[Math.floor(places.length / 2)] ?? "b8.conv1";
}
