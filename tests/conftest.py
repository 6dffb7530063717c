"""What all tests share: nobody's own config file or cache is used, and native operations only where asked for."""

import gc
import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Before any test module is imported: one that draws at once must not load what the person at the machine built."""
    os.environ["BEND_NATIVE"] = "0"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests live to the end, so the garbage collector skips them, and runs seldom."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000)
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point `BEND_CONFIG` to an empty file, for subprocesses as well."""
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEND_CONFIG", str(path))
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let signals reach subprocesses, which inherit that they are ignored.

    A shell ignores SIGINT for what it puts in the background, nohup SIGHUP.
    """
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in handlers if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, handlers[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that this run's processes share and that begins empty; no native operations unless a test wants them."""
    base = tmp_path_factory.getbasetemp()
    is_worker = base.name.startswith("popen-")  # of pytest-xdist: the workers' folders lie side by side
    cache = (base.parent if is_worker else base) / "bend-cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEND_CACHE", str(cache))
        patch.setenv("BEND_NATIVE", "0")
        yield cache


@pytest.fixture(scope="session", autouse=True)
def unflushed() -> Iterator[None]:
    """Do not flush files to the disk: no test survives a power cut, and thousands of flushes take time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def few_fakes() -> Iterator[None]:
    """A training draws sheets of four pictures, not of 32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stylegan.training.session._NUM_FAKES", 4)
        yield


@pytest.fixture(scope="session")
def compiled_code(own_cache: Path, request: pytest.FixtureRequest) -> Path:
    """Where later runs find what was compiled, by the digest of all its inputs: pytest's cache if there is one."""
    own_cache.mkdir(exist_ok=True)
    cache = getattr(request.config, "cache", None)
    try:
        kept = own_cache if cache is None else cache.mkdir("compiled")
    except OSError:
        return own_cache
    return kept if os.access(kept, os.W_OK) else own_cache  # it may be somebody else's working tree


@pytest.fixture(scope="session")
def built_ops(own_cache: Path, compiled_code: Path) -> Path:
    """The native operations for CPU in the run's own cache, compiled unless an earlier run has done so."""
    from stylegan.errors import BuildError
    from stylegan.lock import alone
    from stylegan.ops.build import build, library_path
    from stylegan.ops.toolchain import toolchain

    try:
        library = library_path(toolchain("cpu"))
    except BuildError as error:
        pytest.skip(str(error))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BEND_CACHE", str(compiled_code))
        kept = build("cpu")
    library.parent.parent.mkdir(parents=True, exist_ok=True)
    with alone(library.parent.parent / "copy.lock"):
        if not library.exists():
            copy = shutil.copytree(kept.parent, library.parent.with_name(".copy"))
            copy.rename(library.parent)
    return library


@pytest.fixture
def native_ops(built_ops: Path) -> Iterator[None]:
    """Use the native operations for CPU during the test."""
    from stylegan.ops import native

    native.use("cpu", built_ops)
    yield
    native.forget()
