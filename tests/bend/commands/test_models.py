"""`bend models` as it is typed."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch

from stylegan.checkpoint import known, load_network
from tests.bend.conftest import Run
from tests.bend.models.shop import Shop


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))


def test_list(run: Run) -> None:
    status, out, _ = run("models", "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == ["NAME", "faces64", "faces128", *known.KNOWN]
    status, out, _ = run("models", "list", "--json")
    assert json.loads(out)[0]["resolution"] == 64


def test_pull_then_use(run: Run, tiny_network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = tiny_network.read_bytes()
    with Shop(body, ["drop"]) as shop:
        entry = dataclasses.replace(known.KNOWN["ffhq256"], url=shop.address)
        monkeypatch.setitem(known.KNOWN, "ffhq256", entry)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        status, out, err = run("models", "pull", "ffhq256")
        assert (status, out.count("\n")) == (0, 1)
        assert hashlib.sha256(body).hexdigest() in out
        assert "compared with: none: first download" in out
        assert "non-commercial" in err
        status, out, _ = run("models", "pull", "ffhq256", "--json")
        assert json.loads(out)["was_there"] is True
    assert run("render", "grid", "--network", "ffhq256", "--seeds", "0-3", "-o", tmp_path / "a.png")[0] == 0
    assert (tmp_path / "a.png").is_file()


def test_pull_dry_run_asks_nobody(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("models", "pull", "ffhq1024", "--dry-run")
    assert status == 0
    assert known.KNOWN["ffhq1024"].url in out
    assert "about 381 MB" in out
    assert not (tmp_path / "cache").exists()
    status, _, err = run("models", "pull", "nobody")
    assert (status, err.count("\n")) == (1, 1)


def test_a_name_that_was_not_pulled(run: Run, tmp_path: Path) -> None:
    status, _, err = run("render", "grid", "--network", "ffhq512", "-o", tmp_path / "a.png")
    assert status == 1
    assert err == "Error: ffhq512: not downloaded yet; run `bend models pull ffhq512`\n"


def test_info(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    status, out, _ = run("models", "info", tiny_network)
    assert status == 0
    assert "16×16" in out
    status, out, _ = run("models", "info", tiny_network, "--json")
    assert json.loads(out)["format"] == "bend"
    trap = tmp_path / "trap.pkl"
    trap.write_bytes(b"\x80\x02cposix\nsystem\n(X\x04\x00\x00\x00trueR.")
    status, out, err = run("models", "info", trap)
    assert status == 1
    assert "posix.system" in out
    assert err.count("\n") == 1


def test_convert_there_and_back(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    before = load_network(tiny_network).generator().state_dict()
    here = tiny_network
    for name in ("a.pkl", "b.pt", "c.safetensors"):
        status, out, _ = run("models", "convert", here, tmp_path / name)
        assert status == 0
        assert out.startswith(f"{tmp_path / name}: ")
        here = tmp_path / name
    after = load_network(here).generator().state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    status, _, err = run("models", "convert", tiny_network, tmp_path / "a.pkl")
    assert status == 1
    assert "exists already; pass --force" in err
    status, _, err = run("models", "convert", tiny_network, tmp_path / "a.bin")
    assert "no format ends like this" in err


def test_export_a_delta_and_play_it(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    from tests.bend.tiny import save_tiny

    bent = save_tiny(tmp_path / "bent.safetensors", seed=1)
    delta = tmp_path / "delta.safetensors"
    status, _, err = run("models", "export", bent, "-o", delta, "--delta-from", tiny_network)
    assert status == 0
    assert "opening it needs tiny.safetensors" in err
    status, _, err = run("render", "grid", "--network", delta, "--seeds", "0", "-o", tmp_path / "a.png")
    assert status == 1
    assert "a delta, which needs its base tiny.safetensors" in err
    (tmp_path / "tiny.safetensors").write_bytes(tiny_network.read_bytes())
    status, _, _ = run("render", "grid", "--network", delta, "--seeds", "0", "-o", tmp_path / "a.png")
    assert status == 0


def test_export_refuses_nonsense_as_usage(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    status, _, err = run("models", "export", tiny_network, "-o", tmp_path / "a.pkl", "--half")
    assert status == 2
    assert err.count("\n") == 1
