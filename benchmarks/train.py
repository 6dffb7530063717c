"""What a training step takes against its plain twin (`twin_training`), in one run.

    python benchmarks/train.py                          the embedded base at batch 16, 128 and 256 pixels at batch 8
    python benchmarks/train.py --resolution 64,128      some of them
    python benchmarks/train.py --device cuda --resolution 256,1024

Both train the same network on noise with augmentation at p = 0.5, each in a process of its own, taking turns at steps
of all four phases; the times of the main losses, path length and R1 are weighted by how often training has them. Ours
runs as `bend finetune` does, native operations and allocator included; the twin as torch comes. Memory is the most that
a process held. `roofline` is the time of the step's multiply-adds, counted for plain convolutions, at the rate that a
large oneDNN convolution reaches on the same cores, as a fraction of the time taken: algorithms that multiply less may
exceed one.

On CUDA (the default where there is a device) both train in float16 where the published networks do. Like the published
implementation, the twin has native FIR and activations, one convolution for all samples, and the fastest kernels that
cuDNN finds (`twin.use_native`), and no TensorFloat-32, which ours has as torch does; it draws the random numbers of a
batch at once. Memory is the most that tensors took, without what recordings keep between steps.
"""

import argparse
import platform
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import torch
from torch.utils.flop_counter import FlopCounterMode
from train_memory import peak_bytes, plan_of
from twin import twin_of, use_native

from stylegan.ops import native
from stylegan.training.plan import Plan
from stylegan.training.step import D_REG_INTERVAL, G_REG_INTERVAL

Stepper: TypeAlias = tuple[Callable[[], None], tuple[torch.optim.Adam, torch.optim.Adam]]

# resolution -> base, channel_base, channel_max, batch, rounds
SHAPES = {
    64: ("faces64", 2048, 128, 16, 5),
    128: ("none", 16384, 512, 8, 2),
    256: ("none", 16384, 512, 8, 1),
    1024: ("none", 32768, 512, 4, 1),
}
DEFAULT = "64,128,256"
_CUDA_ROUNDS = 8
PARTS = {"main": 1, "path": G_REG_INTERVAL, "R1": D_REG_INTERVAL}
"""Parts of a step, and every how many steps training takes each."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", default=DEFAULT)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=None, help="steps; the best time of each part counts")
    args = parser.parse_args()
    rate = matrix_rate(args.device)
    name = torch.cuda.get_device_name() if args.device == "cuda" else platform.machine()
    print(
        f"torch {torch.__version__}, {name}, {torch.get_num_threads()} threads, "
        f"convolution {rate / 1e9:.0f} GFLOP/s"
    )
    print(
        "resolution  batch   who      main     path       R1    s/step   s/kimg   peak MB   roofline   ratio"
    )
    for resolution in map(int, args.resolution.split(",")):
        batch, rounds = SHAPES[resolution][3:]
        batch = args.batch or batch
        flops = step_flops(make_plan(resolution, batch, "cpu"), batch)
        rounds = args.rounds or (_CUDA_ROUNDS if args.device == "cuda" else rounds)
        seconds, peaks = take_turns(resolution, batch, args.device, rounds)
        means = {who: sum(parts[part] / PARTS[part] for part in PARTS) for who, parts in seconds.items()}
        for who, parts in seconds.items():
            print(
                f"{resolution:>10} {batch:>6}  {who:<5}{parts['main']:>8.3f} {parts['path']:>8.3f} "
                f"{parts['R1']:>8.3f} {means[who]:>9.4f} {means[who] / batch * 1000:>8.1f} "
                f"{peaks[who] / 1e6:>9.0f} {flops / rate / means[who]:>10.2f} {means['twin'] / means[who]:>6.2f}x",
                flush=True,
            )


def take_turns(
    resolution: int, batch: int, device: str, rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """The best seconds of each part of a step, and the peak bytes, of the twin and of ours."""
    context = get_context("spawn")
    pipes, workers = {}, []
    for who in ("twin", "ours"):
        pipes[who], theirs = context.Pipe()
        workers.append(
            context.Process(target=work, args=(who, resolution, batch, device, theirs), daemon=True)
        )
        workers[-1].start()
    for pipe in pipes.values():
        pipe.recv()  # ready
    seconds: dict[str, dict[str, float]] = {who: {} for who in pipes}
    num_warm = 3 if device == "cuda" else 1
    for turn in range(rounds + num_warm):
        for who, pipe in pipes.items():
            pipe.send("step")
            taken = pipe.recv()
            if turn >= num_warm:
                seconds[who] = {part: min(taken[part], seconds[who].get(part, taken[part])) for part in PARTS}
    peaks = {}
    for who, pipe in pipes.items():
        pipe.send(None)
        peaks[who] = pipe.recv()
    for worker in workers:
        worker.join()
    return seconds, peaks


def work(who: str, resolution: int, batch: int, device: str, pipe: Connection) -> None:
    """A process that takes a step when told to, and says how long each part took."""
    plan = make_plan(resolution, batch, device)
    step, optimizers = {"twin": twin_stepper, "ours": our_stepper}[who](plan)
    moments: list[float] = []
    for optimizer in optimizers:
        optimizer.register_step_post_hook(lambda *_: moments.append(now(device)))
    pipe.send("ready")
    while pipe.recv() is not None:
        moments[:] = [now(device)]
        step()
        start, g_main, g_path, d_main, d_r1 = moments  # each phase ends with its optimiser's step
        averaged = now(device) - d_r1
        main = (g_main - start) + (d_main - g_path) + averaged
        pipe.send({"main": main, "path": g_path - g_main, "R1": d_r1 - d_main})
    pipe.send(peak_bytes(plan.device))


def now(device: str) -> float:
    """The time, once a device has done all that was asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def make_plan(resolution: int, batch: int, device: str) -> Plan:
    base, channel_base, channel_max, _, _ = SHAPES[resolution]
    precision = "auto" if device == "cuda" else "fp32"
    return plan_of(
        resolution, channel_base, channel_max, batch, device=device, precision=precision, base=base
    )


def our_stepper(plan: Plan) -> Stepper:
    from stylegan.training.readiness import prepare_training
    from stylegan.training.stats import Collector
    from stylegan.training.step import train_step

    prepare_training(plan.device)
    batch: dict[str, Any] = _batch(plan)

    def step() -> None:
        plan.state.step = 0
        train_step(plan.state, plan.hyper, **batch, seed=0, micro_batch=plan.micro_batch, stats=Collector())

    return step, (plan.state.G_opt, plan.state.D_opt)


def twin_stepper(plan: Plan) -> Stepper:
    from twin_training import twin_state, twin_step

    if plan.device.type == "cuda":
        native.prepare("cuda")
        use_native(True, is_shared=True)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False
    batch: dict[str, Any] = _batch(plan)
    state, hyper = twin_state(plan.state), plan.hyper
    plan.state = None  # type: ignore[assignment]  # its memory must not count as the twin's

    def step() -> None:
        state.step = 0
        twin_step(state, hyper, **batch, seed=0)

    return step, (state.G_opt, state.D_opt)


def _batch(plan: Plan) -> dict[str, torch.Tensor]:
    count = plan.micro_batch
    reals = torch.rand([count, *plan.data.image_shape], device=plan.device) * 2 - 1
    labels = torch.zeros([count, 0], device=plan.device)
    return {"reals": reals, "real_c": labels, "fake_c": labels}


def step_flops(plan: Plan, batch: int) -> float:
    """Twice the multiply-adds of an average step: a forward pass is one, a backward pass two, without weights one."""
    forward = []
    G, D = twin_of(plan.state.G), twin_of(plan.state.D)
    for network, x in (
        (G, torch.randn([1, plan.state.G.z_dim])),
        (D, torch.zeros([1, *plan.data.image_shape])),
    ):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(x, torch.zeros([1, 0]))
        forward.append(counter.get_total_flops())
    g, d = forward
    main_losses = (3 * g + 2 * d) + (g + 6 * d)  # G through a fixed D; D on fixed fakes and on reals
    # A gradient with its graph is two more passes, whose own backward is twice that of the forward pass.
    return batch * (main_losses + 6 * g / 2 / G_REG_INTERVAL + 6 * d / D_REG_INTERVAL)


def matrix_rate(device: str) -> float:
    """Floating-point operations a second of a large 3×3 convolution, the best of several; of float16 on CUDA."""
    dtype = torch.float16 if device == "cuda" else torch.float32
    count = 64 if device == "cuda" else 8
    x = torch.randn(count, 256, 64, 64, device=device, dtype=dtype).contiguous(
        memory_format=torch.channels_last
    )
    w = torch.randn(256, 256, 3, 3, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        started = now(device)
        torch.conv2d(x, w, padding=1)
        best = min(best, now(device) - started)
    return 2 * x.numel() * w[:, 0].numel() / best


if __name__ == "__main__":
    main()
