"""What bends cost: pictures a second without bends, with an empty bend, and with one spatial bend at a time.

Each is timed in turns with the unbent network, and the median ratio printed, for the embedded network and for a random
one of 256 pixels (channel_base 16384). Wanted: unbent 1 within noise, one spatial bend below 1.15.

    python benchmarks/bends.py [--rounds N] [--only 64|256]
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch

from bend.bends import open_bends
from bend.latents import ws_from_z, z_from_seeds
from bend.play import Moment, playing
from stylegan import Generator, load_network

SPATIAL = {
    "rotate": "rotate:30",
    "scale": "scale:1.3",
    "translate": "translate:.11,.07/edge=reflect",
    "erode": "erode:2",
    "dilate": "dilate:1.5",
    "blur": "blur:1",
    "sharpen": "sharpen:1",
    "sobel": "sobel",
    "flip-h": "flip-h",
    "median": "median:1",
}


def placed(bend: str, tap: str) -> str:
    head, slash, settings = bend.partition("/")
    return f"{head}@{tap}{slash}{settings}"


def network_256() -> Generator:
    torch.manual_seed(0)
    kwargs = {"channel_base": 16384, "channel_max": 512}
    return Generator(512, 0, 512, 256, 3, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=kwargs).eval()


def measure(plain: Callable[[], None], bent: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Fastest seconds of `plain`, and the median over rounds of how much longer `bent` takes, one after the other."""
    seconds, ratios = [], []
    for index in range(rounds):
        # They take turns at going first, so that neither always finds the other's memory in the cache.
        first, second = (plain, bent) if index % 2 else (bent, plain)
        times = {}
        for draw in (first, second):
            started = time.perf_counter()
            draw()
            times[draw] = time.perf_counter() - started
        seconds.append(times[plain])
        ratios.append(times[bent] / times[plain])
    return min(seconds), statistics.median(ratios)


def report(title: str, G: Generator, tap: str, batch: int, rounds: int) -> None:
    ws = ws_from_z(G, z_from_seeds(range(batch), G.z_dim))

    def draw(*bends: str) -> Callable[[], None]:
        plays = [open_bends(bends, G)] if bends else []

        @torch.inference_mode()
        def once() -> None:
            with playing(G, plays, Moment()):
                G.synthesis(ws, noise_mode="const")

        once()
        return once

    plain = draw()
    print(f"\n{title}, bends at {tap}, batches of {batch}, median of {rounds}")
    draws = {"unbent again": draw(), "nothing at mix 0": draw(f"invert@{tap}/mix=0")}
    draws |= {name: draw(placed(bend, tap)) for name, bend in SPATIAL.items()}
    for index, (name, bent) in enumerate(draws.items()):
        fastest, ratio = measure(plain, bent, rounds)
        if index == 0:
            print(f"{'unbent':>18}  {fastest / batch * 1000:8.2f} ms a picture")
        print(f"{name:>18}  {ratio:8.3f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--only", choices=["64", "256"])
    arguments = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    )
    if arguments.only != "256":
        G = load_network("faces64").generator()
        for tap in ("b32.conv1", "b64.conv0"):
            report("faces64", G, tap, 8, arguments.rounds)
    if arguments.only != "64":
        big = network_256()
        for tap in ("b32.conv1", "b128.conv0"):
            report("a random network of 256 pixels", big, tap, 1, max(arguments.rounds // 4, 5))


if __name__ == "__main__":
    main()
