"""Two hosts on one machine: network namespaces with a cable between them, and nothing else in common.

Each host has a name, an address, processes and a private folder of its own, all of which it sees at the same path, so
that one command line serves both. Killing a host ends all that runs there at once, as a power cut would, except that
the cable stays plugged in. Linux, root and iproute2 are needed; `refusal` says what is missing.
"""

import contextlib
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["LIMIT_S", "Agent", "Host", "Hosts", "refusal", "two_hosts", "wait_until"]

LIMIT_S = 300.0  # a hang is a failure; nothing here takes a fifth of it
_ROOT = Path(__file__).parents[1]
_ADDRESSES = {"alpha": "10.77.0.1", "beta": "10.77.0.2"}
_PORT = 29400
# In the host's own namespaces: its name, its /etc/hosts, and its folder, mounted where every host sees its own.
_BEGIN = 'hostname "$1" && mount --bind "$2" /etc/hosts && mount --bind "$3" "$4" && cd "$4" && shift 4 && exec "$@"'


@dataclass(kw_only=True)
class Agent:
    """A torchrun on a host, with what it and its processes say."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def text(self) -> str:
        """All that was said so far."""
        return self.log.read_text("utf-8", errors="replace")

    @property
    def lines(self) -> list[str]:
        """What bend said, less torchrun's own lines."""
        return [
            line for line in self.text.splitlines() if line.startswith(("Error:", "resuming", "training"))
        ]

    def end(self, limit_s: float = LIMIT_S) -> int:
        """Wait for its exit status."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {limit_s:g} s:\n{self.text}") from None

    def kill(self) -> None:
        """End the host, with all that runs there."""
        self.process.kill()
        self.process.wait(LIMIT_S)


@dataclass(kw_only=True)
class Host:
    """One of the two hosts."""

    name: str
    namespace: str
    folder: Path
    """Where its private folder really lies."""

    def network(self, *words: str) -> None:
        """Run `ip` in its namespace."""
        _ip("-n", self.namespace, *words)


@dataclass(kw_only=True)
class Hosts:
    """Both hosts, and how to start work on them."""

    alpha: Host
    beta: Host
    here: Path
    """Where each sees its private folder, which is also its working and its home folder."""
    names: Path
    agents: list[Agent] = field(default_factory=list)

    def start(
        self,
        host: Host,
        *words: str | Path,
        options: str = "",
        run_id: str = "hosts",
        num: int = 1,
        **environ: str,
    ) -> Agent:
        """Start `torchrun … -m WORDS` on a host: one of two, met at alpha.

        Args:
            host: where.
            words: module and arguments.
            options: more of torchrun's own.
            run_id: of the launch, the same on both.
            num: processes on this host.
            environ: more variables.
        """
        meeting = (
            f"--rdzv-backend c10d --rdzv-endpoint alpha:{_PORT} --rdzv-id {run_id} --nproc-per-node {num}"
        )
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", *shlex.split(meeting)]
        torchrun += ["--monitor-interval", "0.1", *shlex.split(options), "-m", *map(str, words)]
        boxed = ["ip", "netns", "exec", host.namespace, "unshare", "--uts", "--mount", "--pid", "--fork"]
        boxed += ["--kill-child", "--mount-proc", "sh", "-c", _BEGIN, "sh"]
        boxed += [host.name, str(self.names), str(host.folder), str(self.here)]
        own = {
            "HOME": str(self.here),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        own |= {
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
            "BEND_CACHE": str(self.here / "cache"),
            "BEND_NATIVE": "0",
        }
        log = host.folder / f"agent-{len(self.agents)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*boxed, *torchrun],
                env={**os.environ, **own, **environ},
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )
        self.agents.append(Agent(process=process, log=log))
        return self.agents[-1]

    def run(
        self, *words: str | Path, options: str = "", run_id: str = "hosts", num: int = 1
    ) -> tuple[Agent, Agent]:
        """Start the same on both, and wait for both."""
        alpha, beta = (
            self.start(host, *words, options=options, run_id=run_id, num=num)
            for host in (self.alpha, self.beta)
        )
        alpha.end()
        beta.end()
        return alpha, beta

    def give(self, path: Path) -> None:
        """Copy a file to both."""
        for host in (self.alpha, self.beta):
            shutil.copy2(path, host.folder)


def refusal() -> str | None:
    """Why there can be no such hosts here, None if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "namespaces need Linux and root"
    if missing := [name for name in ("ip", "unshare", "mount", "hostname") if shutil.which(name) is None]:
        return f"no {', '.join(missing)} here"
    name = _unique("probe")
    try:
        _ip("netns", "add", name)
        _ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
        box = [
            "ip",
            "netns",
            "exec",
            name,
            "unshare",
            "--uts",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "true",
        ]
        subprocess.run(box, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        return f"no namespaces here: {error.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    return None


@contextlib.contextmanager
def two_hosts(folder: Path) -> Iterator[Hosts]:
    """Two hosts, which vanish with all that runs there when the block ends."""
    here, names = folder / "here", folder / "hosts"
    here.mkdir()
    names.write_text(
        "127.0.0.1 localhost\n" + "".join(f"{where} {name}\n" for name, where in _ADDRESSES.items())
    )
    both = {
        name: Host(name=name, namespace=_unique(name), folder=folder / "hosts-own" / name)
        for name in _ADDRESSES
    }
    hosts = Hosts(alpha=both["alpha"], beta=both["beta"], here=here, names=names)
    try:
        for host in both.values():
            host.folder.mkdir(parents=True)
            _ip("netns", "add", host.namespace)
            host.network("link", "set", "lo", "up")
        alpha, beta = both.values()
        # Made inside, so that the machine's own namespace never sees it.
        alpha.network("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", beta.namespace)
        for host in both.values():
            host.network("addr", "add", f"{_ADDRESSES[host.name]}/24", "dev", "eth0")
            host.network("link", "set", "eth0", "up")
        yield hosts
    finally:
        for agent in hosts.agents:
            agent.kill()
        for host in both.values():
            subprocess.run(["ip", "netns", "del", host.namespace], check=False, capture_output=True)


def wait_until(is_so: Callable[[], bool], what: str, agent: Agent) -> None:
    """Wait for a condition that work under way brings about."""
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert agent.process.poll() is None, f"ended before {what}:\n{agent.text}"
        assert time.monotonic() < deadline, f"no {what}:\n{agent.text}"
        time.sleep(0.05)


def _unique(name: str) -> str:
    return f"bend-{os.getpid()}-{secrets.token_hex(4)}-{name}"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
