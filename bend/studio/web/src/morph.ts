// Between two patches: numbers go evenly, bends that only one has fade, everything else changes in the middle.

import type { Module, Patch, Place } from "./types";

export function between(a: Patch, b: Patch, share: number): Patch {
  if (share <= 0) return structuredClone(a);
  if (share >= 1) return structuredClone(b);
  const near = share < 0.5 ? a : b;
  return {
    ...structuredClone(near),
    place: placeBetween(a.place, b.place, share),
    trunc: number(a.trunc, b.trunc, share),
    kimg: a.kimg !== null && b.kimg !== null ? number(a.kimg, b.kimg, share) : near.kimg,
    dial: {
      base: a.dial.base ?? b.dial.base,
      amount: amount(a, b, share),
    },
    modules: modules(a, b, share),
  };
}

/**
 * Places go to one other place only. One that is on its way itself (of a walk, of another morph) goes to the nearer of
 * its two ends first, and one on its way is come to from there.
 */
function placeBetween(a: Place, b: Place, share: number): Place {
  const [out, into] = [nearerEnd(a), nearerEnd(b)];
  const at = share * (out.away + 1 + into.away);
  if (at < out.away) return { ...structuredClone(a), share: mixed(a.share, out.share, at / out.away) };
  if (at > out.away + 1) return { ...structuredClone(b), share: mixed(into.share, b.share, (at - out.away - 1) / into.away) };
  return straight(out.place, into.place, at - out.away);
}

/** The end of a place's own way that is nearer, and how far away it is. */
function nearerEnd(place: Place): { place: Place; share: number; away: number } {
  if (place.to && place.share > 0.5) return { place: place.to, share: 1, away: 1 - place.share };
  return { place: { ...place, to: null, share: 0 }, share: 0, away: place.to ? place.share : 0 };
}

function straight(from: Place, to: Place, share: number): Place {
  const isSameMap = from.mode === to.mode && String(from.seeds) === String(to.seeds) && String(from.axes) === String(to.axes);
  if (isSameMap) return { ...structuredClone(from), x: mixed(from.x, to.x, share), y: mixed(from.y, to.y, share) };
  return { ...structuredClone(from), to: structuredClone(to), share };
}

function amount(a: Patch, b: Patch, share: number): string {
  // Without a base the dial stands at 1: the network as it is.
  const [from, to] = [a.dial.base ? a.dial.amount : "1", b.dial.base ? b.dial.amount : "1"];
  if (!from.includes("=") && !to.includes("=")) return number(from, to, share);
  const [one, two] = [table(from), table(to)];
  const names = [...new Set([...one.keys(), ...two.keys()])].filter((name) => name !== "");
  const at = (amounts: Map<string, string>, name: string): string => amounts.get(name) ?? amounts.get("") ?? "1";
  return names.map((name) => `${name}=${number(at(one, name), at(two, name), share)}`).join(",");
}

function table(text: string): Map<string, string> {
  if (!text.includes("=")) return new Map([["", text]]);
  return new Map(text.split(",").map((part) => part.split("=") as [string, string]));
}

function modules(a: Patch, b: Patch, share: number): Module[] {
  const left = b.modules.filter((module) => module.on);
  const found: Module[] = [];
  for (const module of a.modules.filter((one) => one.on)) {
    const index = left.findIndex((one) => one.name === module.name && one.tap === module.tap && one.channels === module.channels && one.mask === module.mask);
    const other = index < 0 ? null : left.splice(index, 1)[0]!;
    found.push(
      other
        ? { ...module, values: module.values.map((value, i) => number(value, other.values[i] ?? value, share)), mix: number(module.mix, other.mix, share) }
        : { ...module, mix: number(module.mix, "0", share) },
    );
  }
  return [...found, ...left.map((module) => ({ ...module, key: `b-${module.key}`, mix: number("0", module.mix, share) }))];
}

function number(a: string, b: string, share: number): string {
  const [from, to] = [Number(a), Number(b)];
  if (!Number.isFinite(from) || !Number.isFinite(to)) return share < 0.5 ? a : b;
  return String(Number(mixed(from, to, share).toPrecision(6)));
}

function mixed(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}
