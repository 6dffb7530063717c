"""Draws images/pixels.png for story.md: an eye, enlarged until it is numbers.

python docs/pixels.py docs/images/pixels.png
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from bend import render
from stylegan import load_network

__all__ = ["draw"]

_SEED = 5
_EYE = (20, 27, 8, 6)  # left, top, width, height in pixels of the picture
_CELL = 58  # pixels drawn for one


def draw() -> Image.Image:
    """The picture at the left, the pixels around an eye with their values at the right."""
    (face,) = render.images(load_network("faces64"), seeds=[_SEED], truncation_psi=0.8)
    left, top, width, height = _EYE
    side = _CELL * height
    sheet = Image.new("RGB", (side + 16 + _CELL * width, side), "white")
    whole = Image.fromarray(face).resize((side, side), Image.Resampling.NEAREST)
    pixel = side / len(face)
    frame = [left * pixel, top * pixel, (left + width) * pixel, (top + height) * pixel]
    ImageDraw.Draw(whole).rectangle(frame, outline="white", width=2)
    sheet.paste(whole, (0, 0))
    pen = ImageDraw.Draw(sheet)
    for row in range(height):
        for column in range(width):
            colour = tuple(int(value) for value in face[top + row, left + column])
            x, y = side + 16 + column * _CELL, row * _CELL
            pen.rectangle([x, y, x + _CELL - 1, y + _CELL - 1], fill=colour)
            text = "\n".join(map(str, colour))
            pen.multiline_text((x + 18, y + 6), text, fill="white" if sum(colour) < 380 else "black")
    return sheet


if __name__ == "__main__":
    draw().save(Path(sys.argv[1]), optimize=True)
