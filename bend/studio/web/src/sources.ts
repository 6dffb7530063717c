// What moves a parameter from outside: a controller over MIDI, a microphone or a track. Oscillators are the server's.

export type Band = "bass" | "mid" | "treble" | "loudness";

export type Source = { kind: "midi"; control: string | null } | { kind: "sound"; band: Band };

interface Binding {
  source: Source;
  low: number;
  high: number;
  move: (value: number) => void;
}

const BANDS: Record<Band, [number, number]> = {
  bass: [20, 150],
  mid: [150, 2000],
  treble: [2000, 12000],
  loudness: [20, 12000],
};
const SMOOTH = 0.6;

class Sources {
  private readonly bindings = new Map<string, Binding>();
  private learning: string | null = null;
  private analyser: AnalyserNode | null = null;
  private context: AudioContext | null = null;
  private spectrum = new Uint8Array(0);
  private readonly levels = new Map<Band, number>();
  private microphone: MediaStreamAudioSourceNode | null = null;
  private track: { name: string; audio: HTMLAudioElement; node: AudioNode } | null = null;
  private isTicking = false;
  controllers = "";

  get isListening(): boolean {
    return this.microphone !== null;
  }

  /** What is heard, in words; empty if nothing is. */
  get heard(): string {
    return [this.microphone && "the microphone", this.track?.name].filter(Boolean).join(" and ");
  }

  of(id: string): Source | null {
    return this.bindings.get(id)?.source ?? null;
  }

  bind(id: string, binding: Binding): void {
    this.bindings.set(id, binding);
    if (binding.source.kind === "midi" && binding.source.control === null) this.learning = id;
    this.tickSoon();
  }

  /** Same parameter, drawn anew: what moves it goes on moving it. */
  rebind(id: string, move: (value: number) => void): void {
    const binding = this.bindings.get(id);
    if (binding) binding.move = move;
  }

  release(id: string): void {
    this.bindings.delete(id);
    if (this.learning === id) this.learning = null;
  }

  /** Hear the microphone, or no more. */
  async listen(): Promise<void> {
    if (this.microphone) {
      this.microphone.disconnect();
      for (const track of this.microphone.mediaStream.getTracks()) track.stop();
      this.microphone = null;
      return;
    }
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const context = this.audio();
    this.microphone = context.createMediaStreamSource(stream);
    this.microphone.connect(this.ear(context));
    this.tickSoon();
  }

  /** Play a track instead of the one before; what is none is refused, and that one plays on. */
  async play(file: File): Promise<HTMLAudioElement> {
    const context = this.audio();
    const audio = new Audio(URL.createObjectURL(file));
    audio.loop = true;
    const node = context.createMediaElementSource(audio);
    node.connect(context.destination);
    node.connect(this.ear(context));
    try {
      await audio.play();
    } catch {
      node.disconnect();
      URL.revokeObjectURL(audio.src);
      throw new Error(`${file.name} cannot be played: this browser does not know such sound.`);
    }
    if (this.track) {
      this.track.audio.pause();
      this.track.node.disconnect();
      URL.revokeObjectURL(this.track.audio.src);
    }
    this.track = { name: file.name, audio, node };
    this.tickSoon();
    return audio;
  }

  async connectMidi(): Promise<string> {
    if (!("requestMIDIAccess" in navigator)) throw new Error("This browser has no MIDI; Chromium and Firefox have.");
    const access = await navigator.requestMIDIAccess();
    const attach = (): void => {
      const inputs = [...access.inputs.values()];
      for (const input of inputs) input.onmidimessage = (event) => this.message(event);
      this.controllers = inputs.map((input) => input.name ?? "controller").join(", ");
    };
    access.onstatechange = attach;
    attach();
    return this.controllers || "no controller yet; plug one in";
  }

  /** A control has moved: 7 bits, of a continuous controller. */
  control(control: string, value: number): void {
    if (this.learning !== null) {
      const binding = this.bindings.get(this.learning);
      if (binding?.source.kind === "midi") binding.source.control = control;
      this.learning = null;
    }
    for (const { source, low, high, move } of this.bindings.values()) {
      if (source.kind === "midi" && source.control === control) move(low + ((high - low) * value) / 127);
    }
  }

  private message(event: MIDIMessageEvent): void {
    const [status = 0, number = 0, value = 0] = event.data ?? [];
    if ((status & 0xf0) === 0xb0) this.control(`${(status & 0x0f) + 1}/${number}`, value);
  }

  private audio(): AudioContext {
    this.context ??= new AudioContext();
    void this.context.resume();
    return this.context;
  }

  private ear(context: AudioContext): AnalyserNode {
    if (!this.analyser) {
      this.analyser = context.createAnalyser();
      this.analyser.fftSize = 2048;
      this.analyser.smoothingTimeConstant = SMOOTH;
      this.spectrum = new Uint8Array(this.analyser.frequencyBinCount);
    }
    return this.analyser;
  }

  private tickSoon(): void {
    if (this.isTicking || !this.analyser) return;
    this.isTicking = true;
    requestAnimationFrame(() => this.tick());
  }

  private tick(): void {
    this.isTicking = false;
    const wanted = [...this.bindings.values()].filter((binding) => binding.source.kind === "sound");
    if (!this.analyser || !this.context || wanted.length === 0) return;
    this.analyser.getByteFrequencyData(this.spectrum);
    const width = this.context.sampleRate / 2 / this.spectrum.length;
    for (const [band, [from, to]] of Object.entries(BANDS) as [Band, [number, number]][]) {
      const part = this.spectrum.subarray(Math.floor(from / width), Math.ceil(to / width) + 1);
      const mean = part.reduce((sum, value) => sum + value, 0) / Math.max(part.length, 1);
      this.levels.set(band, Math.min(mean / 200, 1));
    }
    for (const { source, low, high, move } of wanted) {
      if (source.kind === "sound") move(low + (high - low) * (this.levels.get(source.band) ?? 0));
    }
    this.tickSoon();
  }
}

export const sources = new Sources();
