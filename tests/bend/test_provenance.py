"""Notes inside pictures: what they hold, what they leave out, and when two works count as one."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from bend import __version__
from bend.provenance import Provenance, png_is_whole, read_provenance, weights_sha256, workplace
from tests.bend.tiny import tiny_generator


def note(**work: object) -> Provenance:
    return Provenance(work={"kind": "test", **work}, network="net", network_sha256="00")


def test_json_round_trip() -> None:
    before = note(seeds=[1, 2], trunc=0.7).about(seed=2)
    text = before.to_json()
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text)["bend"] == __version__
    after = Provenance.from_json(text)
    assert after == before
    assert before.same_work(after)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"bend": 1}', '{"a": {}}', '"bend"', "[" * 100_000])
def test_other_text_is_no_note(text: str) -> None:
    assert Provenance.from_json(text) is None


def test_same_work_ignores_the_command_and_the_name_but_not_the_weights() -> None:
    one = Provenance(work={"seed": 1}, network="a", network_sha256="0", command="bend x")
    assert one.same_work(Provenance(work={"seed": 1}, network="b", network_sha256="0", command=None))
    assert not one.same_work(Provenance(work={"seed": 2}, network="a", network_sha256="0"))
    assert not one.same_work(Provenance(work={"seed": 1}, network="a", network_sha256="1"))
    assert not one.same_work(Provenance(work={"seed": 1}, network="a", network_sha256="0", version="9"))
    assert not one.same_work(None)


def test_weights_hash_follows_values_and_not_storage() -> None:
    G = tiny_generator()
    before = weights_sha256(G)
    assert weights_sha256(tiny_generator()) == before
    const = G.get_parameter("synthesis.b4.const")
    const.data = (
        const.data.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    )  # the same values, laid out differently
    assert not const.is_contiguous()
    assert weights_sha256(G) == before
    const.data[0, 0, 0] += 1
    assert weights_sha256(G) != before


def test_weights_hash_follows_names_and_shapes() -> None:
    values = torch.arange(6.0)
    networks = [
        [("a", values[:2]), ("b", values[2:])],
        [("b", values[2:]), ("a", values[:2])],  # the same in another order
        [("a", values[:2]), ("c", values[2:])],
        [("a", values[:3]), ("b", values[3:])],
        [("a", values[:2]), ("b", values[2:].reshape(2, 2))],
    ]
    modules = [nn.ParameterDict(weights) for weights in networks]
    assert list(modules[1].state_dict()) == ["b", "a"]
    hashes = [weights_sha256(module) for module in modules]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.mp4", "a.webp"])
def test_other_files_have_no_note(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_provenance(path) is None
    assert not png_is_whole(path)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_damaged_pictures_have_no_note(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 40
    Image.new("RGB", (8, 8)).save(tmp_path / "whole", kind, exif=exif)
    whole = (tmp_path / "whole").read_bytes()
    path = tmp_path / f"a.{kind.lower()}"
    for place in range(4, len(whole)):
        path.write_bytes(whole[:place] + b"\x7f" + whole[place + 1 :])
        assert read_provenance(path) is None
        path.write_bytes(whole[:place])
        assert read_provenance(path) is None


def test_relative_paths_start_from_here_or_from_the_nearest_folder_above_that_has_more_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, work = tmp_path / "here", tmp_path / "work"
    picture = work / "stills" / "day" / "a.png"
    picture.parent.mkdir(parents=True)
    (work / "runs" / "00000-rocks").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)
    made = Provenance(
        work={"inputs": {"mask.png": "00"}},
        network="runs/00000-rocks@4",
        network_sha256="00",
        command="bend x",
    )
    assert workplace(picture, made) == work
    (here / "mask.png").touch()
    assert workplace(picture, made) == Path()  # as many are here, and here comes first
    (work / "stills" / "mask.png").touch()
    (work / "mask.png").touch()
    assert workplace(picture, made) == work
    (work / "stills" / "runs").symlink_to(work / "runs")
    assert workplace(picture, made) == work / "stills"
    (here / "runs").symlink_to(work / "runs")
    assert workplace(picture, made) == Path()


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_provenance(tmp_path / "nothing.png")
