"""What all tests share: nobody's own config file is read."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point `BEND_CONFIG` to an empty file, for subprocesses as well."""
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEND_CONFIG", str(path))
        yield
