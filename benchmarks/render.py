"""How fast pictures are drawn, against a plain twin of the published networks, both measured in one run.

    python benchmarks/render.py                              every shape, batch 1 and 8
    python benchmarks/render.py --shapes 256:16384 --batches 1 --repeats 10
    python benchmarks/render.py --twin fp16                  against the published half-precision configuration
    python benchmarks/render.py --device cuda --twin fp16 --precision fp16
    python benchmarks/render.py --json | --report benchmarks/reports/render.md

A shape is `faces64` (the embedded base) or resolution:channel_base. The twin (`benchmarks/twin.py`) computes what the
papers say in the plainest torch, in float32; or, for a network with `num_fp16_res=4` and `conv_clamp=256`, the four
highest resolutions in float16. Each implementation has a process of its own, with its own allocator, and the two take
turns; a time is the best of the repeats, memory the most that the process held while drawing, Python and torch
included, and pictures are compared, also as levels of 8 bits. The roofline is the larger of two bounds: the
multiply-adds of the direct sums over the fastest float32 product or convolution measured here, and the bytes of weights
and feature maps, each moved once, over the copy bandwidth. Fewer multiplications than the direct sum's (Winograd), or
bfloat16's (AMX: six of them a product, or three), can push the share beyond 100 %.

On CUDA (the default where there is a device) the twin's FIR and activations are the native operations
(`twin.use_native`), as the published implementation brings plugins for both; times are those of a finished batch,
memory is what tensors took at most. Against the float32 twin neither side computes in TensorFloat-32; beside half
precision both do, as torch has it.
"""

import argparse
import gc
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from twin import twin_of, use_native

from stylegan import Generator, load_network
from stylegan.allocator import keep_freed_memory
from stylegan.ops import native
from stylegan.precision import PRECISIONS, set_precision

SHAPES = "faces64,256:16384,512:32768,1024:32768"
_NUM_WARM = 6  # draws until libraries have chosen their kernels and pictures are replayed
CLEAR_REFS = Path("/proc/self/clear_refs")
COLUMNS = (
    "shape",
    "batch",
    "twin s",
    "bend s",
    "ratio",
    "bound s",
    "share",
    "twin MB",
    "bend MB",
    "deviation",
    "levels, 99 %",
    "levels, most",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--batches", default="1,8")
    parser.add_argument("--repeats", type=int, default=5, help="fewer where a picture takes seconds")
    parser.add_argument("--precision", default="fp32", help="of bend's side: fp32, fp16 or bf16")
    parser.add_argument("--twin", choices=["fp32", "fp16"], default="fp32", help="what the twin computes in")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--serve", help=argparse.SUPPRESS)  # a process that measures: twin or bend
    args = parser.parse_args()
    if args.serve:
        serve(args)
        return
    rates = measure_rates(args.device)
    rows = [
        compare(shape, int(batch), args, rates)
        for shape in args.shapes.split(",")
        for batch in args.batches.split(",")
    ]
    if args.json:
        print(json.dumps({"machine": machine(args.device), "rates": rates, "rows": rows}, indent=2))
    else:
        print(report(rows, rates, args.device))
    if args.report:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        args.report.write_text(report(rows, rates, args.device), encoding="utf-8")


def compare(shape: str, batch: int, args: argparse.Namespace, rates: dict[str, float]) -> dict[str, Any]:
    """One row: the two implementations in turns, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        sides = {name: Side(name, shape, batch, args, Path(folder)) for name in ("twin", "bend")}
        for side in sides.values():
            side.wait()
        times: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(_NUM_WARM if args.device == "cuda" else 1):
            first = {name: side.draw() for name, side in sides.items()}
        for _ in range(args.repeats if first["twin"] < 2 else min(args.repeats, 2)):
            for name, side in sides.items():
                times[name].append(side.draw())
        peaks = {name: side.finish() for name, side in sides.items()}
        twin, ours = (np.load(Path(folder) / f"{name}.npy") for name in sides)
    levels = np.abs(np.clip(twin, -1, 1) - np.clip(ours, -1, 1)) * 127.5
    best = {name: min(values) for name, values in times.items()}
    work = work_of(shape, batch)
    rate = rates["half_macs_per_s" if args.device == "cuda" and args.precision != "fp32" else "macs_per_s"]
    bound = max(work["macs"] / rate, work["bytes"] / rates["bytes_per_s"])
    return {
        "shape": shape,
        "batch": batch,
        "twin_s": best["twin"],
        "bend_s": best["bend"],
        "ratio": best["twin"] / best["bend"],
        "bound_s": bound,
        "share": bound / best["bend"],
        "twin_mb": peaks["twin"],
        "bend_mb": peaks["bend"],
        "deviation": float(np.abs(twin - ours).max()),
        "levels_99": float(np.quantile(levels, 0.99)),
        "levels_most": float(levels.max()),
        **work,
    }


class Side:
    """A process that draws one batch each time it is told to."""

    def __init__(self, name: str, shape: str, batch: int, args: argparse.Namespace, folder: Path) -> None:
        command = [sys.executable, __file__, "--serve", name, "--shapes", shape, "--batches", str(batch)]
        self._process = subprocess.Popen(
            [*command, "--precision", args.precision, "--twin", args.twin, "--device", args.device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )

    def wait(self) -> None:
        """Wait until the process is ready."""
        self._ask("ready")

    def draw(self) -> float:
        """Have one batch drawn; returns the seconds that it took."""
        return self._ask("draw")

    def finish(self) -> float:
        """End the process, which leaves its last pictures behind; returns the most memory that it held, in MB."""
        peak = self._ask("finish")
        self._process.wait()
        return peak

    def _ask(self, what: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(what, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def serve(args: argparse.Namespace) -> None:
    """Draw when told to, and say how long it took."""
    synthesize, num_ws, w_dim = prepare(args.serve, args.shapes, args.precision, args.twin, args.device)
    ws = torch.randn([int(args.batches), num_ws, w_dim], generator=torch.Generator().manual_seed(1))
    ws = ws.to(args.device)
    image = torch.empty(0)
    gc.collect()
    if args.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")  # forget the peak of loading: proc(5)
    for line in sys.stdin:
        started = time.perf_counter()
        if line.strip() == "draw":
            with torch.inference_mode():
                image = synthesize(ws)
            wait(args.device)
        is_last = line.strip() == "finish"
        print(peak_mb(args.device) if is_last else time.perf_counter() - started, flush=True)
        if is_last:
            np.save(f"{args.serve}.npy", image.cpu().numpy())
            return


def prepare(
    name: str, shape: str, precision: str, twin: str, device: str
) -> tuple[Callable[..., torch.Tensor], int, int]:
    """The synthesis of one implementation, and the shape of its ws."""
    G = network(shape, is_half=twin == "fp16").to(device)
    if device == "cuda":
        native.prepare("cuda")
        torch.backends.cudnn.allow_tf32 = twin == "fp16"
    if name == "twin":
        use_native(device == "cuda")
        synthesis = twin_of(G, PRECISIONS[twin] if twin != "fp32" else None).to(device).synthesis
    else:
        set_precision(G, precision)
        synthesis = G.synthesis
    return lambda ws: synthesis(ws, noise_mode="const"), G.num_ws, G.w_dim


def network(shape: str, *, is_half: bool = False) -> Generator:
    if shape == "faces64":
        return load_network("faces64").generator("ema")
    resolution, channel_base = map(int, shape.split(":"))
    torch.manual_seed(0)
    options: dict[str, Any] = {"num_fp16_res": 4, "conv_clamp": 256} if is_half else {}
    G = Generator(512, 0, 512, resolution, 3, synthesis_kwargs={"channel_base": channel_base, **options})
    for block in G.synthesis.blocks():
        block.conv1.noise_strength.data.fill_(0.1)
    return G.eval().requires_grad_(False)


def work_of(shape: str, batch: int) -> dict[str, float]:
    """Multiply-adds of the direct sums, and bytes of weights and feature maps moved once."""
    with torch.device("cpu" if shape == "faces64" else "meta"):
        G = network(shape)
    macs = numbers = 0
    for block in G.synthesis.blocks():
        pixels = block.resolution**2 * batch
        for name, share in (("conv0", 1 / 4), ("conv1", 1), ("torgb", 1)):
            layer = getattr(block, name, None)
            if layer is not None:  # an upsampling kernel meets each sample of the lower resolution once
                macs += layer.weight.numel() * pixels * share
                numbers += layer.weight.numel() + pixels * (
                    layer.weight.shape[1] * share + layer.weight.shape[0]
                )
    return {"macs": float(macs), "bytes": float(numbers * 4)}


def measure_rates(device: str) -> dict[str, float]:
    """The best of a square product and a convolution, in multiply-adds a second; and of a copy, read and written."""
    keep_freed_memory()
    side, pictures, numbers = (8192, 64, 2**30) if device == "cuda" else (1024, 1, 2**26)
    with torch.device(device):
        a, b = torch.rand(side, side), torch.rand(side, side)
        x = torch.rand(pictures, 256, 64, 64).contiguous(memory_format=torch.channels_last)
        w = torch.rand(256, 256, 3, 3).contiguous(memory_format=torch.channels_last)
        source, target = torch.rand(numbers), torch.rand(numbers)
    half = a.to(torch.float16 if device == "cuda" else torch.bfloat16)
    macs, convolved = side**3, pictures * 9 * 256 * 256 * 64 * 64
    return {
        "half_macs_per_s": macs / best_of(lambda: half @ half, device),
        "macs_per_s": max(
            macs / best_of(lambda: a @ b, device),
            convolved / best_of(lambda: F.conv2d(x, w, padding=1), device),
        ),
        "bytes_per_s": 2 * 4 * numbers / best_of(lambda: target.copy_(source), device),
    }


def best_of(work: Callable[[], object], device: str, repeats: int = 8) -> float:
    times = []
    for _ in range(repeats):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        times.append(time.perf_counter() - started)
    return min(times)


def wait(device: str) -> None:
    """Wait until a device has done all that was asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak_mb(device: str) -> float:
    """The most memory this process ever held, in MB (Linux: VmHWM); on CUDA what tensors took."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def machine(device: str) -> dict[str, str]:
    native_ops = "native operations loaded" if native.available(device) else "no native operations"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    name = platform.processor() or platform.machine()
    if device == "cuda":
        name = torch.cuda.get_device_name()
    elif Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return {
        "name": name,
        "threads": str(torch.get_num_threads()),
        "torch": torch.__version__,
        "commit": commit.stdout.strip() or "unknown",
        "native": native_ops,
    }


def report(rows: list[dict[str, Any]], rates: dict[str, float], device: str) -> str:
    """The rows as a page of markdown."""
    told = machine(device)
    lines = [
        "# Drawing, against a plain twin of the published networks",
        "",
        f"`python {' '.join(['benchmarks/render.py', *sys.argv[1:]])}` at commit {told['commit']}: {told['name']}, "
        f"{told['threads']} threads, torch {told['torch']}, {told['native']}.",
        f"Measured here: {rates['macs_per_s'] / 1e9:.0f} G multiply-adds/s in float32, "
        f"{rates['half_macs_per_s'] / 1e9:.0f} G in half precision, {rates['bytes_per_s'] / 1e9:.0f} GB/s.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
    ]
    for row in rows:
        lines.append(
            f"| {row['shape']} | {row['batch']} | {row['twin_s']:.4f} | {row['bend_s']:.4f} | {row['ratio']:.1f} | "
            f"{row['bound_s']:.4f} | {row['share']:.0%} | {row['twin_mb']:.0f} | {row['bend_mb']:.0f} | "
            f"{row['deviation']:.1e} | {row['levels_99']:.2f} | {row['levels_most']:.2f} |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
