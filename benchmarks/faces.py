"""How near the embedded generator comes to faces it has not seen: a kernel distance, and a sheet of 64 seeds.

    python benchmarks/faces.py --network faces64 --heldout HELDOUT.zip --train TRAIN.zip --sheet sheet.png

KID (arXiv 1801.01401) with features of the network's own discriminator: the spatial means of every block's output,
each scaled by its spread over the held-out faces. No Inception network is needed, and the figures compare only among
networks judged by the same discriminator: the distance of training faces from held-out faces is the floor.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bend import grid, render
from stylegan import DatasetZip, load_network
from stylegan.discriminator import Discriminator

NUM_SUBSETS, SUBSET = 100, 500
BATCH = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="faces64")
    parser.add_argument("--heldout", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--judge", help="network whose discriminator judges; --network if left out")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    network = load_network(args.network)
    judge = (load_network(args.judge) if args.judge else network).D
    assert judge is not None
    heldout = features(judge, pictures(args.heldout, args.count))
    scale = heldout.std(0) + 1e-6
    floor = features(judge, pictures(args.train, args.count))
    made = features(judge, render.images(network, range(args.count)))
    for name, found in (("training faces", floor), (f"{args.network}, psi 1", made)):
        mean, error = kid(found / scale, heldout / scale)
        print(f"{name:24s} KID x 1000 = {mean * 1000:8.2f} +- {error * 1000:.2f}")
    if args.sheet:
        Image.fromarray(grid.sheet(render.images(network, range(64)), 8, 8)).save(args.sheet)


def pictures(path: str, count: int) -> Iterator[NDArray[np.uint8]]:
    """The first `count` pictures of a zip, `[H, W, 3]`."""
    data = DatasetZip(path, max_images=count)
    return (data.image(i).transpose(1, 2, 0) for i in range(len(data)))


@torch.inference_mode()
def features(D: Discriminator, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Features `[N, F]` of uint8 pictures `[H, W, 3]`."""
    rows = []
    for chunk in render.chunks(images, BATCH):
        rest: torch.Tensor | None = torch.from_numpy(np.stack(chunk)).permute(0, 3, 1, 2).float() / 127.5 - 1
        x: torch.Tensor | None = None
        means = []
        for block in D.blocks():
            x, rest = block(x, rest)
            means.append(x.mean([2, 3]))
        rows.append(torch.cat(means, 1).double().numpy())
    return np.concatenate(rows)


def kid(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """Unbiased squared MMD under the kernel `(x·y / F + 1)³`: its mean over random subsets, and the error of that."""
    rng = np.random.default_rng(0)
    size = min(SUBSET, len(a), len(b))
    values = []
    for _ in range(NUM_SUBSETS):
        x, y = a[rng.permutation(len(a))[:size]], b[rng.permutation(len(b))[:size]]
        xx, yy, xy = ((u @ v.T / u.shape[1] + 1) ** 3 for u, v in ((x, x), (y, y), (x, y)))
        within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (size * (size - 1))
        values.append(within - 2 * xy.mean())
    return float(np.mean(values)), float(np.std(values) / np.sqrt(NUM_SUBSETS))


if __name__ == "__main__":
    main()
