// The socket: gestures out, pictures and words in; it comes back by itself when it was lost.

import type { Frame, Patch } from "./types";

export type Words = { kind: string } & Record<string, unknown>;

export interface Ears {
  frame(frame: Frame, picture: Blob): void;
  picture(meta: Words, picture: Blob): void;
  words(words: Words): void;
  state(isOpen: boolean): void;
}

export class Connection {
  private socket: WebSocket | null = null;
  /** Counted from anywhere, so that the pictures of another page's gestures are not taken for this one's. */
  private gesture = Math.floor(Math.random() * 2 ** 40);
  private wait = 300;
  private readonly sentAt = new Map<number, number>();
  /** Milliseconds from the last gesture to its picture. */
  lag = 0;
  /** Frames that came so far. */
  frames = 0;
  /** Whether the last gesture's picture is shown, whole. */
  isAtRest = false;

  constructor(private readonly ears: Ears) {
    this.open();
  }

  play(patch: Patch): void {
    this.gesture += 1;
    this.isAtRest = false;
    this.sentAt.set(this.gesture, performance.now());
    if (this.sentAt.size > 100) this.sentAt.delete(this.gesture - 100);
    this.say({ do: "play", patch, gesture: this.gesture });
  }

  /** A frame is on the canvas: the server may send another. */
  shown(frame: Frame): void {
    this.frames += 1;
    this.isAtRest = frame.is_whole && frame.gesture === this.gesture;
    this.say({ do: "shown", number: frame.number });
  }

  say(message: { do: string } & Record<string, unknown>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private open(): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.wait = 300;
      this.ears.state(true);
    };
    socket.onclose = () => {
      this.ears.state(false);
      window.setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 1.7, 5000);
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (typeof event.data === "string") this.ears.words(JSON.parse(event.data) as Words);
      else this.unpack(event.data);
    };
    this.socket = socket;
  }

  private unpack(data: ArrayBuffer): void {
    const length = new DataView(data).getUint32(0);
    const meta = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length))) as Words;
    const type = typeof meta["type"] === "string" ? meta["type"] : "image/webp";
    const picture = new Blob([new Uint8Array(data, 4 + length)], { type });
    if (meta.kind !== "frame") {
      this.ears.picture(meta, picture);
      return;
    }
    const frame = meta as unknown as Frame;
    const sent = this.sentAt.get(frame.gesture);
    if (sent !== undefined) {
      this.lag = performance.now() - sent;
      this.sentAt.delete(frame.gesture);
    }
    this.ears.frame(frame, picture);
  }
}
