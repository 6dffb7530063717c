"""Where the cache is: what the environment says, else the system's own place."""

from pathlib import Path
from typing import NoReturn

import pytest

from stylegan.cache import cache_folder


def test_a_chosen_folder_wins(tmp_path: Path) -> None:
    environ = {"BEND_CACHE": str(tmp_path), "XDG_CACHE_HOME": "/elsewhere", "HOME": "/home/one"}
    assert cache_folder(environ) == tmp_path
    assert cache_folder({"BEND_CACHE": "~/kept"}) == Path("~/kept").expanduser()
    assert cache_folder({"BEND_CACHE": "~no-such-user/kept"}) == Path("~no-such-user/kept")


def test_the_systems_own_place() -> None:
    home = {"HOME": "/home/one"}
    assert cache_folder(home, is_windows=False) == Path("/home/one/.cache/bend")
    assert cache_folder({**home, "XDG_CACHE_HOME": "/var/cache/one"}, is_windows=False) == Path(
        "/var/cache/one/bend"
    )
    assert cache_folder({**home, "XDG_CACHE_HOME": "not/absolute"}, is_windows=False) == Path(
        "/home/one/.cache/bend"
    )
    assert cache_folder({**home, "LOCALAPPDATA": "/c/local"}, is_windows=True) == Path("/c/local/bend")
    assert cache_folder(home, is_windows=True) == Path("/home/one/AppData/Local/bend")


def test_a_user_without_a_home_is_at_home_in_the_root_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder({}, is_windows=False) == Path("/.cache/bend")
