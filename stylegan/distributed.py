"""Several processes on one piece of work, started by torchrun: who this one is, and what they say to each other.

`join` makes a `Team` of the processes that torchrun started, over gloo between CPUs and NCCL between GPUs; a process
alone is a team of one, whose exchanges cost nothing. Tensors travel together in flat buffers, so that exchanges are
few. A process that fails tells the first one why, and on which host, so that the reason is reported once, in one line.
The caller divides the work. The hosts need not share a disk.
"""

import contextlib
import datetime
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from stylegan.errors import ConfigError, TeamError
from stylegan.launch import Launch, launch_of

__all__ = ["ALONE", "Team", "join", "leave_word"]

Value = TypeVar("Value")

_PATIENCE_S = 7200  # the others wait while the first one scores and saves
_MEETING = datetime.timedelta(minutes=15)  # all have loaded their networks by then
_FAREWELL = datetime.timedelta(minutes=1)  # how long a process that cannot come is listened to
_BUCKET_BYTES = 128 << 20  # copied at once, so that a flat buffer never doubles the memory of large networks
_LOST = "the connection to another process is lost"
_FAILURE, _DEVICE = "failure", "device"


class Team:
    """The processes on one piece of work, and this one among them.

    Attributes:
        rank: number of this process; only the first, 0, writes files and messages.
        size: number of processes.
        launch: what torchrun said, None without it.
        num_bytes: bytes this process has handed to exchanges so far.
        num_exchanges: exchanges so far.
    """

    def __init__(self, launch: Launch | None = None, device: torch.device | None = None) -> None:
        self.launch = launch
        self.rank = 0 if launch is None else launch.rank
        self.size = 1 if launch is None else launch.size
        self.num_bytes = 0
        self.num_exchanges = 0
        self._device = device or torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """This process is the one that writes files and messages."""
        return self.rank == 0

    @property
    def is_first_here(self) -> bool:
        """This process is the first of its machine."""
        return self.launch is None or self.launch.local_rank == 0

    def sum_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over the processes; shapes must agree among them."""
        if self.size > 1:
            self._in_buckets(tensors, torch.distributed.all_reduce)

    def copy_first_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by that of the first process."""
        if self.size > 1:
            self._in_buckets(tensors, lambda flat: torch.distributed.broadcast(flat, src=0))

    def largest(self, value: int) -> int:
        """The largest `value` of any process."""
        if self.size == 1:
            return value
        box = torch.tensor([value], dtype=torch.int64, device=self._device)
        self._exchange(box, lambda: torch.distributed.all_reduce(box, torch.distributed.ReduceOp.MAX))
        return int(box)

    def smallest(self, value: int) -> int:
        """The smallest `value` of any process."""
        return -self.largest(-value)

    def first_says(self, value: Value) -> Value:
        """What the first process passes here, for all of them; anything that can be pickled."""
        if self.size == 1:
            return value
        box: list[Any] = [value if self.is_first else None]
        with _losses_told():
            torch.distributed.broadcast_object_list(box, src=0, device=self._device)
        result: Value = box[0]
        return result

    def all_say(self, value: Value) -> list[Value]:
        """What each process passes here, in their order; anything that can be pickled."""
        if self.size == 1:
            return [value]
        said: list[Any] = [None] * self.size
        with _losses_told():
            torch.distributed.all_gather_object(said, value)
        return said

    def give_first(self, blob: bytes) -> None:
        """Hand bytes to the first process, which waits for them with `take_from`."""
        for values in (torch.tensor([len(blob)]), torch.frombuffer(bytearray(blob), dtype=torch.uint8)):
            flat = values.to(self._device)
            self._exchange(flat, lambda flat=flat: torch.distributed.send(flat, dst=0))  # type: ignore[misc]

    def take_from(self, rank: int) -> bytes:
        """In the first process, the next bytes that process `rank` gives it."""
        length = torch.zeros(1, dtype=torch.int64, device=self._device)
        with _losses_told():
            torch.distributed.recv(length, src=rank)
            flat = torch.empty(int(length), dtype=torch.uint8, device=self._device)
            torch.distributed.recv(flat, src=rank)
        return flat.cpu().numpy().tobytes()

    def wait(self) -> None:
        """Wait until every process has reached this point."""
        self.largest(0)

    @contextlib.contextmanager
    def one_a_host_first(self) -> Iterator[None]:
        """The first process of each machine runs the block before the others there do."""
        if not self.is_first_here:
            self.wait()
        yield
        if self.is_first_here:
            self.wait()

    def _in_buckets(self, tensors: Sequence[Tensor], exchange: Callable[[Tensor], object]) -> None:
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in bucket]).to(self._device)
            self._exchange(flat, lambda flat=flat: exchange(flat))  # type: ignore[misc]
            start = 0
            for tensor in bucket:
                tensor.detach().copy_(flat[start : start + tensor.numel()].view(tensor.shape))
                start += tensor.numel()

    def _exchange(self, flat: Tensor, exchange: Callable[[], object]) -> None:
        with _losses_told():
            exchange()
        self.num_bytes += flat.nbytes
        self.num_exchanges += 1


ALONE = Team()
"""The team of a process without others."""


@contextlib.contextmanager
def join(device: str | None = "cpu") -> Iterator[Team]:
    """The team of the processes that torchrun started, until the block ends; `ALONE` without torchrun.

    Where a process fails, the first one raises the reason, whichever process that was.

    Args:
        device: as `stylegan.device.choose_device` takes it; `auto` and `cuda` are one GPU a process. None, in any
            process but the first, takes the first one's.

    Raises:
        ConfigError: a device that several processes cannot share, or too few GPUs.
        TeamError: the others cannot be reached, or are gone.
    """
    launch = launch_of()
    if launch is None or launch.size == 1:
        yield Team(launch)
        return
    patience = _patience(os.environ.get("BEND_PATIENCE") or str(_PATIENCE_S))
    with _losses_told():
        store = _store(_MEETING)
        own = _meet(store, launch, device)
    with _losses_told():
        torch.distributed.init_process_group(
            "nccl" if own.type == "cuda" else "gloo",
            store=store,
            rank=launch.rank,
            world_size=launch.size,
            timeout=patience,
            device_id=own if own.type == "cuda" else None,
        )
    try:
        yield Team(launch, own)
    except (Exception, KeyboardInterrupt) as error:
        if (reason := _settle(store, launch, error)) is not None:
            raise TeamError(reason) from None
        raise
    torch.distributed.destroy_process_group()


def leave_word(reason: str) -> None:
    """Tell the first process, which waits in `join`, that this one has failed before getting there, and why."""
    launch = launch_of()
    if launch is None or launch.rank == 0 or launch.size == 1 or torch.distributed.is_initialized():
        return
    with contextlib.suppress(RuntimeError):  # nobody is there
        _store(_FAREWELL).set(_place(launch.rank), _of_host(reason, launch))


def _store(patience: datetime.timedelta) -> torch.distributed.Store:
    """Where the processes of one start leave things for one another."""
    common, _, _ = next(iter(torch.distributed.rendezvous("env://", timeout=patience)))
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return common  # the first process's own and new with it; hosts count their restarts differently
    return torch.distributed.PrefixStore(f"bend/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", common)


def _meet(store: torch.distributed.Store, launch: Launch, device: str | None) -> torch.device:
    """Say that this process is there; the first one goes on once all are, or learns why one is not."""
    if launch.rank == 0:
        assert device is not None
        store.set(_DEVICE, device)
        own = _own_device(device, launch)
        for rank in range(1, launch.size):
            if reason := store.get(_place(rank)).decode():
                raise TeamError(reason)
        return own
    try:
        own = _own_device(device or store.get(_DEVICE).decode(), launch)
    except ConfigError as error:
        store.set(_place(launch.rank), _of_host(str(error), launch))
        raise
    store.set(_place(launch.rank), "")
    return own


def _patience(seconds: str) -> datetime.timedelta:
    if not seconds.isdecimal() or not int(seconds):
        raise ConfigError(f"BEND_PATIENCE is {seconds!r}; give a number of seconds")
    return datetime.timedelta(seconds=int(seconds))


def _place(rank: int) -> str:
    return f"here/{rank}"


def _of_host(reason: str, launch: Launch) -> str:
    return f"host {socket.gethostname()}: {reason}" if launch.is_spread else reason


def _own_device(device: str, launch: Launch) -> torch.device:
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if device not in ("auto", "cuda"):
        raise ConfigError(
            f"--device {device}: cannot be shared by {launch.size} processes; use --device cuda, a GPU each, or cpu"
        )
    if launch.local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"this machine has {torch.cuda.device_count()} CUDA devices for {launch.local_rank + 1} processes or "
            "more; start one process a GPU, or use --device cpu"
        )
    torch.cuda.set_device(launch.local_rank)
    return torch.device("cuda", launch.local_rank)


def _settle(store: torch.distributed.Store, launch: Launch, error: BaseException) -> str | None:
    """Leave word of a failure; the first process, if others failed before it, learns why."""
    with contextlib.suppress(RuntimeError):  # whoever keeps the store is gone
        if isinstance(error, TeamError | KeyboardInterrupt):
            is_to_tell = launch.rank == 0 and store.check([_FAILURE])
            return str(store.get(_FAILURE).decode()) if is_to_tell else None
        store.compare_set(_FAILURE, "", _of_host(_in_words(error, launch.rank), launch))
    return None


def _in_words(error: BaseException, rank: int) -> str:
    if type(error).__module__.endswith(".errors"):  # written for users, in this package or above it
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.filename or 'a file'}: {os.strerror(error.errno)}, says process {rank}"
    return f"process {rank} failed with {error!r}; set BEND_DEBUG=1 to see where"


@contextlib.contextmanager
def _losses_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        is_late = "timed out" in str(error).lower() or "timeout" in str(error).lower()
        what = "another process has not been heard of for too long" if is_late else _LOST
        raise TeamError(
            f"{what}; what was saved is intact, run the command again (a training with --resume), or have torchrun do "
            "so with --max-restarts"
        ) from error


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one kind together, as many as a buffer takes."""
    kinds: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault(tensor.dtype, []).append(tensor)
    for kind in kinds.values():
        bucket: list[Tensor] = []
        for tensor in kind:
            if bucket and sum(one.nbytes for one in bucket) + tensor.nbytes > _BUCKET_BYTES:
                yield bucket
                bucket = []
            bucket.append(tensor)
        if bucket:
            yield bucket
