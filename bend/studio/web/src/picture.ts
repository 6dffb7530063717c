// The picture in the middle: every frame is drawn large on a canvas, smooth or with its pixels square.

import { h } from "./dom";
import type { Frame } from "./types";

export class Picture {
  readonly canvas = h("canvas", { class: "picture", width: 64, height: 64, role: "img", "aria-label": "The picture as it is played" });
  readonly root = h("div", { class: "picture-frame" }, this.canvas);
  isSquare = false;
  private latest = 0;

  /** Frames are counted anew. */
  restart(): void {
    this.latest = 0;
  }

  async show(frame: Frame, blob: Blob): Promise<boolean> {
    const bitmap = await createImageBitmap(blob);
    if (frame.number < this.latest && this.latest - frame.number < 1000) {
      bitmap.close();
      return false;
    }
    this.latest = frame.number;
    const side = this.side(frame.size[0]);
    const height = Math.round((side * bitmap.height) / bitmap.width);
    if (this.canvas.width !== side || this.canvas.height !== height) {
      this.canvas.width = side;
      this.canvas.height = height;
    }
    const context = this.canvas.getContext("2d")!;
    context.imageSmoothingEnabled = !this.isSquare;
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, side, height);
    bitmap.close();
    return true;
  }

  /** Pixels of the canvas: those of the screen, so that enlarging is the browser's best. */
  private side(width: number): number {
    const shown = Math.round(this.root.clientWidth * Math.min(devicePixelRatio, 2)) || 512;
    return Math.max(Math.min(shown, 2048), Math.min(width, 2048));
  }
}
