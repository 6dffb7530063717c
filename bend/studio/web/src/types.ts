// What travels between the page and the server. The Python side is bend/studio/patch.py and actions.py.

export interface Place {
  mode: "seeds" | "pca";
  seeds: [number, number, number];
  axes: [number, number];
  x: number;
  y: number;
  to: Place | null;
  share: number;
}

export interface Wander {
  on: boolean;
  path: "drift" | "circle" | "journey";
  speed: number;
  reach: number;
}

/** A bend in the rack. Numbers over time are texts: `1.5`, `lfo(sine,0..1,4s)`. */
export interface Module {
  key: string;
  on: boolean;
  name: string;
  values: string[];
  tap: string;
  channels: string;
  mask: string;
  soft: number;
  mix: string;
  edge: string;
}

/** The whole state of the instrument. */
export interface Patch {
  network: string;
  weights: string;
  place: Place;
  wander: Wander;
  trunc: string;
  noise_mode: string;
  class_index: number | null;
  kimg: string | null;
  dial: { base: string | null; amount: string };
  modules: Module[];
}

/** Fields of a patch: all that a gesture has moved. */
export type Changes = Partial<Patch>;

export interface Parameter {
  name: string;
  low: number;
  high: number;
  default: number;
  neutral: number;
  example: number;
  is_whole: boolean;
}

export interface Bend {
  name: string;
  does: string;
  family: string;
  kinds: string[];
  is_spatial: boolean;
  takes_edge: boolean;
  parameters: Parameter[];
}

export interface Layer {
  tap: string;
  kind: string;
  shape: number[];
  detail: string;
}

export interface Graph {
  network: string;
  resolution: number;
  channels: number;
  classes: number;
  w_dim: number;
  moments: number[];
  base: string | null;
  layers: Layer[];
}

export interface Job {
  number: number;
  kind: string;
  title: string;
  state: "waiting" | "running" | "done" | "failed" | "stopped";
  is_stopping: boolean;
  seconds: number;
  line: string;
  has_output: boolean;
  output: string | null;
}

export interface Run {
  name: string;
  kimg: number;
  kimg_wanted: number | null;
  data: string;
  base: string;
  moments: number[];
  pictures: string[];
  score: { kimg: number[]; from_home: number[]; diversity: number[]; moments: Record<string, number> } | null;
  can_resume: boolean;
}

export interface Preset {
  name: string;
  patch: Patch;
  picture: string;
}

export interface Take {
  name: string;
  is_rendered: boolean;
}

export interface Shelf {
  standing: { name: string; title: string; moments: number[]; base: string | null }[];
  runs: Run[];
  data_sets: string[];
  presets: Preset[];
  takes: Take[];
  jobs: Job[];
  may_train: boolean;
}

export interface Frame {
  number: number;
  gesture: number;
  seconds: number;
  place: Place;
  size: [number, number];
  milliseconds: number;
  is_whole: boolean;
  is_recording: boolean;
  type: string;
}

export interface Start {
  bends: Bend[];
  edges: string[];
  graph: Graph;
  state: Shelf;
  patch: Patch;
}
