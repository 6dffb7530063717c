"""The settings of `bend studio`."""

from dataclasses import dataclass
from pathlib import Path

from bend.errors import SettingsError

__all__ = ["StudioConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioConfig:
    """How the studio starts.

    Attributes:
        network: on the stage at first: a name, file, run folder or RUN@KIMG.
        runs: folder of run folders; new trainings go there.
        data: data sets that may be trained on from the page, each a zip or shards as `bend finetune --data` takes them.
        networks: further network files that may be chosen from the page.
        out: folder for presets, takes, pictures and films.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        device: `auto`, `cpu`, `cuda` or `mps`.
        may_train: whether the page may start trainings.
    """

    network: str = "faces64"
    runs: Path = Path("runs")
    data: tuple[Path, ...] = ()
    networks: tuple[str, ...] = ()
    out: Path = Path("studio")
    host: str = "127.0.0.1"
    port: int = 8765
    device: str = "auto"
    may_train: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"--port {self.port} is out of range; give 1 to 65535, or 0 for a free one")
        from stylegan.archive.shard_names import are_there

        for path in self.data:
            if not are_there(str(path)):
                raise SettingsError(f"--data {path}: no such file; name a zip of `bend package`")
        for folder in (self.runs, self.out):
            if folder.exists() and not folder.is_dir():
                raise SettingsError(f"{folder} is a file; name a folder")
