"""How fast `bend package` is, against a plain Pillow loop that does the same and against itself on more processes.

    python benchmarks/package.py --photos 120 --resolution 256 --repeats 3

Makes 12-megapixel JPEG photos in a temporary folder, then packages them in turn by the plain loop (open, EXIF, RGB,
centre crop, Lanczos, uncompressed PNG, zip), by `bend package` with one process, and with several. The turns are
interleaved, so that whatever else the machine does affects all alike; ratios are medians over them. Both zips are
compared pixel by pixel, since the gain comes mostly from decoding JPEGs no larger than needed.

With `--video-seconds` it also films a 1080p video and takes a frame a second of it, by a plain PyAV loop and by
`bend package`, both on one decoder thread.
"""

import argparse
import io
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import PIL
from PIL import Image, ImageOps

from bend.prepare import PackageConfig, package
from stylegan.archive import DatasetZip

WIDTH, HEIGHT = 4000, 3000
NUM_DISTINCT = 8


def main() -> None:
    """Parse, make photos, take turns, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=120)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--video-seconds", type=int, default=0, help="0: no video")
    options = parser.parse_args()
    print(
        f"# {platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
    )
    print(f"# Pillow {PIL.__version__}, commit {_commit()}, load {os.getloadavg()[0]:.1f}")
    print(f"# python benchmarks/package.py {' '.join(sys.argv[1:])}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        num_bytes = make_photos(folder / "photos", options.photos)
        print(
            f"# {options.photos} photos of {WIDTH}×{HEIGHT}, {num_bytes / options.photos / 1e6:.1f} MB each"
        )
        take_turns(folder, options)
        compare(folder)
        if options.video_seconds:
            film_turns(folder, options)


def make_photos(folder: Path, count: int) -> int:
    """Fill `folder` with JPEGs, a few distinct scenes over and over, each file's bytes its own; bytes in all."""
    folder.mkdir()
    scenes = [_encode(_scene(seed)) for seed in range(min(NUM_DISTINCT, count))]
    for i in range(count):
        (folder / f"{i:04d}.jpg").write_bytes(scenes[i % len(scenes)] + b"%d" % i)
    return sum(path.stat().st_size for path in folder.iterdir())


def plain_loop(folder: Path, out: Path, resolution: int) -> None:
    """What one would write without a library: one picture after another, all of it by Pillow."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for i, path in enumerate(sorted(folder.iterdir())):
            with Image.open(path) as opened:
                image = ImageOps.exif_transpose(opened).convert("RGB")
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            square = image.crop((left, top, left + side, top + side))
            square = square.resize((resolution, resolution), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            square.save(buffer, "PNG", compress_level=0)
            archive.writestr(f"{i // 1000:05d}/img{i:08d}.png", buffer.getvalue())


def take_turns(folder: Path, options: argparse.Namespace) -> None:
    """Time each way in turn, `repeats` times over, and print rates and ratios."""
    photos, resolution = folder / "photos", options.resolution
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: plain_loop(photos, folder / "plain.zip", resolution),
        "one": lambda: package(_config(photos, folder / "bend.zip", resolution, 1)),
        "many": lambda: package(_config(photos, folder / "bend.zip", resolution, options.workers)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    words = {
        "plain": "plain loop",
        "one": "bend package, 1 process",
        "many": f"bend package, {options.workers} processes",
    }
    for name, taken in seconds.items():
        rates = ", ".join(f"{options.photos / each:.1f}" for each in taken)
        print(f"{words[name]:<28} {rates} photos/s")
    print(f"1 process / plain loop:  {_ratio(seconds['plain'], seconds['one']):.2f}")
    print(f"{options.workers} processes / 1:         {_ratio(seconds['one'], seconds['many']):.2f}")


def film_turns(folder: Path, options: argparse.Namespace) -> None:
    """Time both ways of taking frames of a video, `repeats` times over, and print rates and their ratio."""
    path = make_video(folder / "film.mp4", options.video_seconds)
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: plain_frames(path, folder / "plain.zip", options.resolution),
        "bend": lambda: package(_config(path, folder / "bend.zip", options.resolution, 1)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    for name, taken in seconds.items():
        rates = ", ".join(f"{options.video_seconds / each:.1f}" for each in taken)
        print(f"{name + ', 1080p video':<28} {rates} × real time")
    print(f"bend / plain loop:       {_ratio(seconds['plain'], seconds['bend']):.2f}")
    print(f"{len(DatasetZip(folder / 'plain.zip'))} and {len(DatasetZip(folder / 'bend.zip'))} frames")


def make_video(path: Path, num_seconds: int) -> Path:
    """Film a pan across a scene, 1920×1080 at 30 frames a second."""
    scene = np.asarray(_scene(0))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        for i in range(30 * num_seconds):
            left, top = 2 * i % (WIDTH - 1920), i % (HEIGHT - 1080)
            view = np.ascontiguousarray(scene[top : top + 1080, left : left + 1920])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def plain_frames(path: Path, out: Path, resolution: int) -> None:
    """What one would write without a library: decode, and take what lies at every second."""
    with av.open(str(path)) as container, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        container.streams.video[0].codec_context.thread_count = 1
        num_taken = 0
        for frame in container.decode(video=0):
            if frame.time is None or frame.time < num_taken:
                continue
            image = frame.to_image()
            left = (image.width - image.height) // 2
            square = image.crop((left, 0, left + image.height, image.height))
            square = square.resize((resolution, resolution), Image.Resampling.LANCZOS)
            buffer = io.BytesIO()
            square.save(buffer, "PNG", compress_level=0)
            archive.writestr(f"{num_taken // 1000:05d}/img{num_taken:08d}.png", buffer.getvalue())
            num_taken += 1


def compare(folder: Path) -> None:
    """Print how far the two zips' pixels lie apart."""
    plain, ours = DatasetZip(folder / "plain.zip"), DatasetZip(folder / "bend.zip")
    wrong = [plain.image(i).astype(float) - ours.image(i) for i in range(min(NUM_DISTINCT, len(plain)))]
    psnr = 10 * np.log10(255**2 / np.mean(np.square(wrong)))
    print(f"pixels differ by {np.abs(wrong).mean():.2f} of 255 in the mean (PSNR {psnr:.1f} dB)")


def _config(photos: Path, out: Path, resolution: int, workers: int) -> PackageConfig:
    return PackageConfig(sources=(photos,), out=out, resolution=resolution, workers=workers, force=True)


def _ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def _scene(seed: int) -> Image.Image:
    """Clouds with detail at every scale and a camera's noise, about as hard to compress as a photo."""
    rng = np.random.default_rng(seed)
    total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for octave in range(10):
        coarse = rng.integers(0, 256, (2 ** (octave + 1), 2 ** (octave + 1), 3), dtype=np.uint8)
        layer = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) / (octave + 1)
    total += rng.normal(0, 10, (HEIGHT, WIDTH, 1)).astype(np.float32)
    return Image.fromarray((total * (250 / total.max())).clip(0, 255).astype(np.uint8))


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
