// The socket: gestures out, pictures and words in; it comes back by itself when it was lost.

import type { Changes, Frame } from "./types";

export type Words = { kind: string } & Record<string, unknown>;

export interface Ears {
  frame(frame: Frame, picture: Blob): void;
  picture(meta: Words, picture: Blob): void;
  words(words: Words): void;
  /** There is a connection; whatever fails in this has it made anew. */
  opened(): Promise<void>;
  /** There is no connection; `isRefused` if there is a server that takes this page for a stranger. */
  lost(isRefused: boolean): void;
}

const WAIT_MS = 300;

export class Connection {
  private socket: WebSocket | null = null;
  /** Counted from anywhere, so that the pictures of another page's gestures are not taken for this one's. */
  private readonly first = Math.floor(Math.random() * 2 ** 40);
  private gesture = this.first;
  private wait = WAIT_MS;
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

  /** Tell of a gesture; gives its number, or null if nobody hears it. */
  play(patch: Changes): number | null {
    if (this.socket?.readyState !== WebSocket.OPEN) return null;
    this.gesture += 1;
    this.isAtRest = false;
    this.sentAt.set(this.gesture, performance.now());
    if (this.sentAt.size > 100) this.sentAt.delete(this.gesture - 100);
    this.say({ do: "play", patch, gesture: this.gesture });
    return this.gesture;
  }

  /** The last of this page's gestures, of those that the server has heard of all pages; 0 if there is none. */
  ownOf(gestures: number[]): number {
    return gestures.find((one) => one > this.first && one <= this.gesture) ?? 0;
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
      this.ears.opened().then(
        () => (this.wait = WAIT_MS),
        () => socket.close(),
      );
    };
    socket.onclose = () => {
      this.ears.lost(false);
      this.retry();
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (typeof event.data === "string") this.ears.words(JSON.parse(event.data) as Words);
      else this.unpack(event.data);
    };
    this.socket = socket;
  }

  private retry(): void {
    window.setTimeout(() => void this.knock(), this.wait);
    this.wait = Math.min(this.wait * 1.7, 5000);
  }

  /** Open the socket where there is a server that knows this page; a socket would not say which of the two fails. */
  private async knock(): Promise<void> {
    const answer = await fetch("/", { method: "HEAD" }).catch(() => null);
    if (answer?.ok) {
      this.open();
      return;
    }
    this.ears.lost(answer?.status === 403);
    this.retry();
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
