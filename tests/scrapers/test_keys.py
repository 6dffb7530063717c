"""Keys from the environment and the config file: which wins, what is refused in one line, and what is never shown."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from scrapers.errors import ConfigError, SourceError
from scrapers.gather import gather, preview
from scrapers.keys import config_path, with_config
from tests.fakes.stock import FakePixabay
from tests.scrapers.conftest import scrape_config

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")


def config_file(folder: Path, content: str | bytes, mode: int = 0o600) -> dict[str, str]:
    """An environment that names a config file of that content."""
    path = folder / "config.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return {"BEND_CONFIG": str(path)}


def quiet(message: str) -> None:
    raise AssertionError(message)


def test_the_environment_wins_and_an_empty_one_does_not(tmp_path: Path) -> None:
    environ = config_file(tmp_path, '[keys]\nA_KEY = "file a"\nB_KEY = "file b"\nC_KEY = "file c"\n')
    found = with_config({**environ, "B_KEY": "own b", "C_KEY": " "}, quiet)
    assert (found["A_KEY"], found["B_KEY"], found["C_KEY"]) == ("file a", "own b", "file c")


@pytest.mark.parametrize("content", ["", "[render]\nfps = 30\n", "\ufeff[keys]\n"])
def test_a_file_without_keys_is_none_of_our_business(content: str, tmp_path: Path) -> None:
    environ = config_file(tmp_path, content, mode=0o644)
    assert with_config(environ, quiet) == environ


def test_the_file_lies_in_the_users_config_folder(tmp_path: Path) -> None:
    home, other = {"HOME": str(tmp_path)}, str(tmp_path / "other")
    assert config_path(home, is_windows=False) == tmp_path / ".config/bend/config.toml"
    assert config_path({**home, "XDG_CONFIG_HOME": "not/absolute"}, is_windows=False) == config_path(
        home, is_windows=False
    )
    assert config_path({**home, "XDG_CONFIG_HOME": other}, is_windows=False) == Path(
        other, "bend/config.toml"
    )
    assert config_path({**home, "APPDATA": other}, is_windows=True) == Path(other, "bend/config.toml")
    assert config_path({**home, "BEND_CONFIG": "my.toml", "APPDATA": other}) == Path("my.toml")


def test_no_file_is_no_fault_unless_it_was_named(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    assert with_config(environ, quiet) == environ
    with pytest.raises(ConfigError, match=r"none\.toml \(BEND_CONFIG\): cannot be read"):
        with_config({"BEND_CONFIG": str(tmp_path / "none.toml")}, quiet)
    with pytest.raises(ConfigError, match="cannot be read"):
        with_config({"BEND_CONFIG": str(tmp_path)}, quiet)


def test_somebody_elses_file_gives_no_keys_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, mode: str) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)
    warnings: list[str] = []
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    assert with_config(environ, warnings.append) == environ
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{config_path(environ)}: cannot be read, so no keys are taken from it; ")
    with pytest.raises(ConfigError, match=r"\(BEND_CONFIG\): cannot be read"):
        with_config({"BEND_CONFIG": str(tmp_path / "mine.toml")}, warnings.append)


def test_a_user_without_a_home_is_at_home_in_the_root_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert config_path({}, is_windows=False) == Path("/.config/bend/config.toml")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('[keys]\nA_KEY = "s3cret', "not TOML at .*; write"),
        ("[keys]\nA_KEY = s3cret\n", r"not TOML at line 2, column \d+; write"),
        ('[keys.s3cret]\n[keys]\nA_KEY = "1"\nA_KEY = "s3cret"\n[keys]\n', "not TOML at .*; write"),
        (b"[keys]\nA_KEY = 's3cret\xff'\n", "not UTF-8 text; write"),
        ('keys = "s3cret"\n', "keys is not a table; write"),
        ("[keys]\nA_KEY = 53\n", r"A_KEY under \[keys\] is not text; put it in quotation marks"),
        ('[keys]\nA_KEY = ["s3cret"]\n', r"A_KEY under \[keys\] is not text; put it in quotation marks"),
    ],
)
def test_a_broken_file_is_one_line_without_what_is_in_it(
    content: str | bytes, why: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        with_config(config_file(tmp_path, content), quiet)
    assert str(caught.value).startswith(f"{tmp_path / 'config.toml'}: ")
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_is_warned_of(mode: int, tmp_path: Path) -> None:
    said: list[str] = []
    assert with_config(config_file(tmp_path, '[keys]\nA_KEY = "s3cret"\n', mode), said.append)
    path = tmp_path / "config.toml"
    assert said == [f"{path}: others on this machine can read your keys; run chmod 600 {path}"]


def test_a_scrape_takes_its_key_from_the_file_and_tells_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = config_file(tmp_path, '[keys]\nPIXABAY_API_KEY = "s3cret"\n', mode=0o644)
    said: list[str] = []
    with FakePixabay() as fake:
        monkeypatch.delenv("PIXABAY_API_KEY", raising=False)
        monkeypatch.setenv("BEND_PIXABAY_URL", fake.url)
        monkeypatch.setenv("BEND_CONFIG", environ["BEND_CONFIG"])
        out = tmp_path / "out"
        config = scrape_config(out, sources=("pixabay",), licenses=("pixabay",), count=2, min_size=64)
        assert list(preview(config, warn=said.append))
        assert gather(config, warn=said.append).num_kept == 2
        assert {request.query["key"] for request in fake.requests} == {"s3cret"}
    assert sum("chmod 600" in message for message in said) == (0 if os.name == "nt" else 2)  # once a run
    assert "s3cret" not in " ".join(said)
    assert not any(b"s3cret" in path.read_bytes() for path in out.rglob("*") if path.is_file())


def test_a_missing_key_names_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config_file(tmp_path, "")["BEND_CONFIG"]
    monkeypatch.setenv("BEND_CONFIG", path)
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    with pytest.raises(SourceError) as caught:
        gather(scrape_config(tmp_path / "out", sources=("flickr",)))
    assert f"FLICKR_API_KEY must be set in the environment or under [keys] in {path};" in str(caught.value)
