"""Files made to do harm: nothing in them runs, and each is refused in one line, soon and without taking memory."""

import gc
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stylegan.checkpoint import load_network
from stylegan.checkpoint.legacy import load_legacy
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy import hostile
from tests.stylegan.checkpoint.legacy.writers import (
    discriminator,
    generator,
    training_extras,
    write_official,
    write_rosinality,
    write_tensorflow,
)

MAX_SECONDS = 10.0
MAX_BYTES = 512 << 20


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def refuse(path: Path, data: bytes) -> str:
    """The message that a file is refused with, one line fit for a terminal."""
    path.write_bytes(data)
    before, started = peak_bytes(), time.monotonic()
    with pytest.raises(CheckpointError) as caught:
        load_legacy(path)
    message = str(caught.value)
    assert time.monotonic() - started < MAX_SECONDS
    assert peak_bytes() - before < MAX_BYTES
    assert message.startswith(f"{path.name}: ")
    assert message.isprintable()
    assert len(message) < 300
    return message


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "net.pkl"


@pytest.mark.parametrize("name", hostile.CODE)
def test_runs_nothing(name: str, path: Path) -> None:
    refuse(path, hostile.CODE[name])
    assert [found.name for found in Path().iterdir()] == ["net.pkl"]


@pytest.mark.parametrize("name", hostile.CLAIMS)
def test_believes_no_claim(name: str, path: Path) -> None:
    refuse(path, hostile.CLAIMS[name])


@pytest.mark.parametrize("name", hostile.BOMBS)
def test_bombs_do_not_go_off(name: str, path: Path) -> None:
    refuse(path, hostile.BOMBS[name]())
    gc.collect()


def test_the_canary_would_sing(path: Path) -> None:
    """The tricks are real: Python's own unpickler falls for them."""
    path.write_bytes(hostile.CODE["os.system"])
    subprocess.run([sys.executable, "-c", "import pickle; pickle.load(open('net.pkl', 'rb'))"], check=True)
    assert Path("canary").exists()


def test_names_the_global_that_it_refuses(path: Path) -> None:
    assert "'os.system'" in refuse(path, hostile.CODE["os.system"])
    assert "'collections.abc.sys.modules.get'" in refuse(path, hostile.CODE["dotted-module"])
    assert "INST" in refuse(path, hostile.CODE["inst"])
    assert "StyleGAN-XL" in refuse(
        path, hostile.whole(hostile.name("timm.models.efficientnet", "EfficientNet"))
    )


@pytest.mark.parametrize("name", ["os.system", "inst", "build-on-class", "getattr"])
def test_zips_run_nothing(name: str, path: Path) -> None:
    refuse(path, hostile.torch_zip(hostile.CODE[name][2:-1]))
    assert [found.name for found in Path().iterdir()] == ["net.pkl"]


def test_refuses_a_zip_with_a_directory_beyond_measure(path: Path) -> None:
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff" + (40 << 20).to_bytes(4, "little") + bytes(6)
    assert "directory" in refuse(path, b"PK\x03\x04" + bytes(41 << 20) + end)


def test_a_hostile_tensor_inside_a_sound_file_is_refused(path: Path) -> None:
    write_official(path, {"G_ema": generator()}, protocol=3)
    data = path.read_bytes()
    for old, new in (
        (b"ctorch._utils\n_rebuild_parameter\n", b"cos\nsystem\n"),
        (b"FloatStorage", b"EvilStorages"),
    ):
        assert old in data
        assert "refused" in refuse(path, data.replace(old, new, 1)) or new == b"EvilStorages"


def sound_files(folder: Path) -> list[Path]:
    small = {"img_resolution": 8, "img_channels": 1}
    G, D = generator(**small), discriminator(**small)
    return [
        write_official(folder / "a.pkl", {"G": G, "D": D, "G_ema": G}, p=0.5),
        write_official(folder / "b.pkl", {"G_ema": G}, protocol=2),
        write_tensorflow(folder / "c.pkl", (G, D, G)),
        write_rosinality(folder / "d.pt", {"g_ema": G, "d": D}, **training_extras()),
        write_rosinality(folder / "e.pt", {"g_ema": G, "d": D}, is_legacy=True, **training_extras()),
    ]


def fuzz(folder: Path, num_flips: int, seed: int) -> tuple[int, int]:
    """Flip bytes one file at a time, most of them where the pickle is; counts of loaded and refused files."""
    draws = random.Random(seed)
    loaded = refused = 0
    sound = [(path, path.read_bytes()) for path in sound_files(folder)]
    for number in range(num_flips):
        path, data = sound[number % len(sound)]
        flipped = bytearray(data)
        for _ in range(draws.choice((1, 1, 2, 8))):
            end = len(data) if draws.random() < 0.3 else min(len(data), 4000)
            position = draws.randrange(end) if draws.random() < 0.8 else len(data) - 1 - draws.randrange(1000)
            flipped[position] = draws.choice(
                (flipped[position] ^ 1 << draws.randrange(8), draws.randrange(256))
            )
        path.write_bytes(flipped)
        try:
            load_network(path)
            loaded += 1
        except CheckpointError as error:
            assert str(error).isprintable()
            refused += 1
    return loaded, refused


def test_flipped_bytes_load_or_are_refused(tmp_path: Path) -> None:
    loaded, refused = fuzz(tmp_path, 300, seed=0)
    assert loaded > 10
    assert refused > 50


@pytest.mark.slow
def test_ten_thousand_flipped_bytes_load_or_are_refused(tmp_path: Path) -> None:
    before = peak_bytes()
    assert sum(fuzz(tmp_path, 10_000, seed=1)) == 10_000
    assert peak_bytes() - before < MAX_BYTES
