"""Files made to do harm: nothing in them runs, and each is refused in one line, quickly and without taking memory.

They are loaded in a child (`jail`), which measures its own processor time and memory and notes whatever is run,
imported or opened meanwhile; and the canary that most of them would leave behind must not be there.
"""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.stylegan.checkpoint.legacy import (
    hostile,
    hostile_bombs,
    hostile_claims,
    hostile_zips,
    instructions,
)
from tests.stylegan.checkpoint.legacy.jail import MAX_BYTES, MAX_SECONDS, Jail, Verdict
from tests.stylegan.checkpoint.legacy.writers import (
    MODULE_SRC,
    Persistent,
    generator,
    persistent,
    training_extras,
    write_official,
    write_rosinality,
)


@pytest.fixture(scope="module")
def jail() -> Iterator[Jail]:
    with Jail() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.pkl"


def load(jail: Jail, path: Path, data: bytes) -> Verdict:
    """What loading a file did, having checked that it did no harm and kept within the limits."""
    path.write_bytes(data)
    verdict = jail.load(path)
    assert verdict.crash is None
    assert verdict.harm == []
    assert verdict.seconds < MAX_SECONDS
    assert verdict.num_bytes < MAX_BYTES
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    return verdict


def refuse(jail: Jail, path: Path, data: bytes) -> str:
    """The message that a file is refused with, one line fit for a terminal."""
    message = load(jail, path, data).refusal
    assert message is not None
    assert message.startswith(f"{path.name}: ")
    assert message.isprintable()
    assert len(message) < 300
    return message


@pytest.mark.parametrize("name", hostile.CODE)
def test_runs_nothing(name: str, path: Path, jail: Jail) -> None:
    refuse(jail, path, hostile.CODE[name])


@pytest.mark.parametrize("name", hostile_claims.CLAIMS)
def test_believes_no_claim(name: str, path: Path, jail: Jail) -> None:
    refuse(jail, path, hostile_claims.CLAIMS[name])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in hostile_bombs.LONG))
        for name in hostile_bombs.BOMBS
    ],
)
def test_bombs_do_not_go_off(name: str, path: Path, jail: Jail) -> None:
    refuse(jail, path, hostile_bombs.BOMBS[name]())


def test_the_canary_would_sing(path: Path) -> None:
    """The tricks are real: Python's own unpickler falls for them."""
    path.write_bytes(hostile.CODE["os.system"])
    script = "import pickle; pickle.load(open('net.pkl', 'rb'))"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=path.parent)
    assert (path.parent / "canary").exists()


def test_the_jail_would_tell() -> None:
    """The watch is real: it notes what a careless loader does."""
    script = (
        "import pickle, sys; from tests.stylegan.checkpoint.legacy import jail; watch = jail._Watch(); "
        "watch.path = 'net.pkl'; pickle.loads(b'\\x80\\x02cos\\nsystem\\nX\\x04\\0\\0\\0true\\x85R.'); "
        "watch.path = ''; print(watch.harm)"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "pickle.find_class" in done.stdout
    assert "os.system" in done.stdout


def test_names_the_global_that_it_refuses(path: Path, jail: Jail) -> None:
    assert "'os.system'" in refuse(jail, path, hostile.CODE["os.system"])
    assert "'collections.abc.sys.modules.get'" in refuse(jail, path, hostile.CODE["dotted-module"])
    assert "INST" in refuse(jail, path, hostile.CODE["inst"])
    stranger = instructions.whole(instructions.name("timm.models.efficientnet", "EfficientNet"))
    assert "StyleGAN-XL" in refuse(jail, path, stranger)


def test_names_that_only_look_like_ours_are_spelled_out(path: Path, jail: Jail) -> None:
    assert r"'c\u043ellections.OrderedDict'" in refuse(jail, path, hostile.CODE["lookalike-0"])


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors", ".zip", ".bin", ".png", ".txt", ""])
@pytest.mark.parametrize("name", ["os.system", "inst", "inner-root"])
def test_endings_of_names_change_nothing(name: str, suffix: str, tmp_path: Path, jail: Jail) -> None:
    refuse(jail, tmp_path / f"net{suffix}", hostile.CODE[name])


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pkl"])
def test_numpys_files_are_not_opened(suffix: str, tmp_path: Path, jail: Jail) -> None:
    path = tmp_path / f"net{suffix}"
    objects = np.array([{"a": 1}], dtype=object)
    if suffix == ".npz":
        np.savez(path, objects)
    else:
        with path.open("wb") as file:
            np.save(file, objects)
    refuse(jail, path, path.read_bytes())


@pytest.mark.parametrize("name", ["os.system", "inst", "build-on-class", "getattr"])
def test_zips_run_nothing(name: str, path: Path, jail: Jail) -> None:
    refuse(jail, path, instructions.torch_zip(hostile.CODE[name][2:-1]))


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = write_rosinality(
        tmp_path_factory.mktemp("sound") / "n.pt", {"g_ema": generator()}, **training_extras()
    )
    return hostile_zips.members_of(path.read_bytes())


@pytest.mark.parametrize("name", hostile_zips.TRICKS)
def test_zips_that_say_two_things_are_refused(
    name: str, members: dict[str, bytes], path: Path, jail: Jail
) -> None:
    refuse(jail, path, hostile_zips.TRICKS[name](members))


@pytest.mark.parametrize("name", hostile_zips.HARMLESS)
def test_what_lies_beside_the_weights_is_left_alone(
    name: str, members: dict[str, bytes], path: Path, jail: Jail
) -> None:
    verdict = load(jail, path, hostile_zips.HARMLESS[name](members))
    assert verdict.refusal is None or "not finite" in verdict.refusal


def test_refuses_a_zip_with_a_directory_beyond_measure(path: Path, jail: Jail) -> None:
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff" + (40 << 20).to_bytes(4, "little") + bytes(6)
    assert "directory" in refuse(jail, path, b"PK\x03\x04" + bytes(41 << 20) + end)


def test_a_hostile_tensor_inside_a_sound_file_is_refused(tmp_path: Path, jail: Jail) -> None:
    (tmp_path / "sound").mkdir()
    data = write_official(tmp_path / "sound" / "n.pkl", {"G_ema": generator()}, protocol=3).read_bytes()
    (tmp_path / "jailed").mkdir()
    for old, new in (
        (b"ctorch._utils\n_rebuild_parameter\n", b"cos\nsystem\n"),
        (b"FloatStorage", b"EvilStorages"),
    ):
        assert old in data
        message = refuse(jail, tmp_path / "jailed" / "n.pkl", data.replace(old, new, 1))
        assert "refused" in message or new == b"EvilStorages"


def test_source_code_in_a_sound_file_is_not_run(tmp_path: Path, jail: Jail) -> None:
    path = write_official(tmp_path / "n.pkl", {"G_ema": generator()})
    data = path.read_bytes()
    evil = b"import os; os.system('touch canary')\n"
    source = MODULE_SRC.encode()
    assert source in data
    assert load(jail, path, data.replace(source, evil.ljust(len(source), b"#"))).refusal is None


def test_a_few_bytes_do_not_become_gigabytes(tmp_path: Path, jail: Jail) -> None:
    """Tensors of one number each, spread by strides of 0 over the shapes of a network of two gigabytes."""
    with torch.device("meta"):
        from stylegan.generator import Generator

        wide = {"channel_base": 1 << 20, "channel_max": 3072}
        G = Generator(512, 0, 512, 16, 3, mapping_kwargs={"num_layers": 1}, synthesis_kwargs=wide)
    assert 300e6 < sum(value.numel() for value in G.state_dict().values()) < 2**29
    zero = torch.zeros([])
    G.load_state_dict({key: zero.expand(value.shape) for key, value in G.state_dict().items()}, assign=True)
    path = write_official(tmp_path / "n.pkl", {"G_ema": persistent(G, G.init_kwargs)})
    assert path.stat().st_size < 1 << 20
    assert "budget" in refuse(jail, path, path.read_bytes())


def test_a_pickle_within_a_setting_is_only_bytes(tmp_path: Path, jail: Jail) -> None:
    G = generator()
    state = persistent(G, G.init_kwargs).meta["state"] | {"note": pickle.dumps(print)}
    path = write_official(tmp_path / "n.pkl", {"G_ema": Persistent("Generator", state)})
    assert load(jail, path, path.read_bytes()).refusal is None
