"""Makes the pictures of this folder anew: runs every recipe, and keeps the small files that README.md shows.

    python examples/build.py out/gallery

The recipes share one working folder, so that their common training runs once (minutes on two cores). A film is kept as
it is, with a strip of its frames; sheets of many parts are laid together; large pictures are reduced.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import av
from PIL import Image

__all__ = ["FOLDERS", "RECIPES", "keep", "strip", "together"]

HERE = Path(__file__).resolve().parent
RECIPES = (
    "lecture", "layer-swap", "dial-loop", "audio-reactive", "network-bending", "plane-map", "feedback",
    "roll-and-breed", "projected", "wide",
)  # fmt: skip
"""In the order of README.md; the first trains for the three after it."""
FOLDERS = {"network-bending": 2, "roll": 1, "bred": 1, "wide": 1}
"""Outputs that are folders, with the columns in which their pictures are laid together."""
_LARGEST = 1920  # pixels of a kept picture's longer side
_FRAMES = 4  # of a film's strip
_SPREAD = _FRAMES + 0.31


def keep(work: Path, folder: Path) -> list[Path]:
    """Copy what the recipes made in `work` to `folder`, small; returns what was written."""
    kept = []
    for made in sorted(work.glob("*.jpg")):
        kept.append(Path(shutil.copy(made, folder / made.name)))
    for film in sorted(work.glob("*.mp4")):
        kept.append(_copy_film(film, folder / film.name))
        kept.append(_save(strip(film), folder / f"{film.stem}.strip.jpg"))
    if compared := sorted(work.glob("*.comparison.png")):
        kept.append(_save(together([_opened(path) for path in compared], 2), folder / "projected.jpg"))
    for name, columns in FOLDERS.items():
        if (work / name).is_dir():
            pictures = [_opened(path) for path in sorted((work / name).glob("*.png"))]
            kept.append(_save(together(pictures, columns), folder / f"{name}.jpg"))
    return kept


def together(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """One picture of many of one size, row by row, with hairlines between."""
    gap = 4 if len(pictures) > 1 else 0
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * (width + gap), index // columns * (height + gap)))
    return sheet


def strip(film: Path) -> Image.Image:
    """Frames at equal distances that fall on no beat, one below the other, or side by side if they are square."""
    with av.open(str(film)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    chosen = [frames[round((index + 0.5) * len(frames) / _SPREAD)] for index in range(_FRAMES)]
    is_square = chosen[0].width == chosen[0].height
    return together(chosen, _FRAMES if is_square else 1)


def _copy_film(film: Path, path: Path) -> Path:
    """Copy a film, and in its note name the files of this folder without the place where it happens to lie."""
    with av.open(str(film)) as source, av.open(str(path), "w", options={"movflags": "faststart"}) as copy:
        copy.metadata.update({key: text.replace(f"{HERE}/", "") for key, text in source.metadata.items()})
        streams = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    return path


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _save(picture: Image.Image, path: Path) -> Path:
    picture.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    picture.save(path, quality=85, optimize=True)
    return path


def main(work: Path) -> None:
    """Run every recipe in `work`, then keep what is shown."""
    for name in RECIPES:
        subprocess.run(
            [sys.executable, "-m", "bend", "run", HERE / f"{name}.toml", "-o", work, "--force"], check=True
        )
    keep(work, HERE)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/build.py FOLDER")
    main(Path(sys.argv[1]))
