"""The docs say what the program does: pages equal help, links lead somewhere, and every typed line parses."""

import contextlib
import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import av
import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from bend.cli import bend
from bend.recipe import COMMANDS
from tests.shortened import NOT_RUN, shortened
from tests.typed_lines import commands, examples, parse, typed

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "datasets").rglob("*.md")]
    if page.name != "CHANGELOG.md"
)
WRITTEN = [page for page in PAGES if page.parent.name != "commands"]  # by hand; those are made of help
NEWCOMERS = ["README.md", "docs/getting-started.md"]
"""Pages whose lines are typed one after another by somebody who has nothing yet."""
TRIED = [
    page
    for page in WRITTEN
    if page.parent.name == "docs"
    and f"docs/{page.name}" not in NEWCOMERS
    and page.name != "object-stores.md"  # run beside a store, by tests/bend/stores
    and list(shortened(typed(page.read_text("utf-8"))))
]
PRETRAINED = ROOT / "stylegan" / "pretrained"
HELPS = dict(commands())


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_command_pages_are_current(generate: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    folder = ROOT / "docs" / "commands"
    written = {page.name: page.read_text("utf-8") for page in folder.glob("*.md")}
    wanted = generate.pages()
    assert sorted(written) == sorted(wanted), "run `make docs`"
    for name, text in wanted.items():
        assert written[name] == text, f"docs/commands/{name} is stale; run `make docs`"


def test_a_page_of_a_command_that_is_gone_is_removed(generate: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    written = generate.write(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(written)
    assert "| [bend demo](demo.md) |" in (tmp_path / "index.md").read_text("utf-8")


@pytest.mark.parametrize("name", HELPS)
def test_help_opens_with_a_sentence_and_has_an_example(name: str) -> None:
    text = HELPS[name].help or ""
    sentence = " ".join(text.split("\n\n")[0].split())
    assert sentence.endswith((".", ":")), f"bend {name}: help opens with {sentence!r}"
    found = examples(text)
    assert found, f"bend {name}: help has no Example:"
    assert any(example.startswith(f"bend {name}") for example in found)


@pytest.mark.parametrize("name", HELPS)
def test_examples_of_help_parse(name: str) -> None:
    for example in examples(HELPS[name].help or ""):
        parse(example)


@pytest.mark.parametrize("name", HELPS)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [param for param in HELPS[name].params if isinstance(param, click.Option)]
    silent = [option.opts[0] for option in options if not option.help and not option.hidden]
    assert not silent, f"bend {name}: options without help: {silent}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    broken = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not broken


def test_every_page_stands_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page}" not in index} == set()


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_typed_lines_parse(page: Path) -> None:
    for line in typed(page.read_text("utf-8")):
        parse(line)


def test_the_page_on_recipes_names_the_arguments_of_every_command() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    sentence = page.partition("the arguments are called")[2].partition(".")[0]
    called = {
        param.name
        for name, command in HELPS.items()
        for param in command.params
        if name.split()[0] in COMMANDS and isinstance(param, click.Argument)
    }
    assert called == set(re.findall("`([a-z]+)`", sentence)) - set(COMMANDS)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_loops_hold_whole_periods(page: Path) -> None:
    for line in typed(page.read_text("utf-8")):
        seconds = float((re.findall(r"--seconds ([\d.]+)", line) or ["10"])[0])
        periods = re.findall(r"lfo\([a-z]+,[^,]+,([\d.]+)s", line) if "--loop" in line else []
        assert all(seconds % float(period) == 0 for period in periods), line


def test_shortened_lines_are_those_of_the_page() -> None:
    lines = [
        "bend finetune --data a.zip --kimg 8 --batch 16 -o runs",
        "bend studio --runs runs",
        "bend render grid --network runs/00000-a-b@2 -o g.png",
        "bend render latent-walk --seeds 0-7 --seconds 20 -o w.mp4",
    ]
    assert [" ".join(words) for words in shortened(lines)] == [
        "finetune --data a.zip --kimg 0.032 -o runs --batch 8",
        "render grid --network runs/00000-a-b -o g.png",
        "render latent-walk --seeds 0-7 -o w.mp4 --seconds 0.5",
    ]
    assert all(name in HELPS for name in NOT_RUN)


@pytest.mark.slow
@pytest.mark.parametrize("page", NEWCOMERS)
def test_typed_lines_run_one_after_another(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _newcomers_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    lines = list(shortened(typed((ROOT / page).read_text("utf-8"))))
    assert len(lines) > 10
    for words in lines:
        _run(words)
        written = [
            words[at + 1] for at, word in enumerate(words[:-1]) if word in {"-o", "--sheet", "--graph"}
        ]
        assert all(Path(name).exists() for name in written if "--dry-run" not in words), words


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a person who has worked for a while: data sets, a run, and files of every kind."""
    folder = tmp_path_factory.mktemp("workshop")
    _newcomers_folder(folder)
    photos = sorted((ROOT / "datasets" / "sample").glob("*.jpg"))
    for name, photo in (("me.jpg", photos[0]), ("creek.jpg", photos[1])):
        shutil.copy(photo, folder / name)
    for name in ("rocks", "holiday-photos"):
        shutil.copytree(ROOT / "datasets" / "sample", folder / name)
    Image.linear_gradient("L").save(folder / "mask.png")
    np.savez(folder / "keys.npz", w=np.random.RandomState(0).randn(3, 512).astype(np.float32))
    shutil.copy(ROOT / "examples" / "track.wav", folder / "track.wav")
    _as_mp3(folder / "track.wav", folder / "track.mp3")
    lecture = folder / "examples" / "lecture.toml"
    lecture.write_text(_short_recipe(lecture.read_text("utf-8")), "utf-8")
    with contextlib.chdir(folder):
        for line in (
            "package photos -o rocks.zip --resolution 64 --crop tiles:4",
            "package photos -o big.zip --resolution 128 --crop tiles:2",
            "finetune --data rocks.zip --base faces64 --kimg 0.032 --batch 8 -o runs --snapshots 0,0.016,0.032",
            "models convert runs/00000-rocks-faces64 rocks.pkl",
        ):
            _run(line.split())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", TRIED, ids=lambda page: page.stem)
def test_typed_lines_of_every_page_run(
    page: Path, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(workshop, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for words in shortened(typed(page.read_text("utf-8"))):
        _run([*words, *_forced(words)])


def _as_mp3(source: Path, output: Path) -> None:
    with av.open(str(source)) as track, av.open(str(output), "w") as made:
        stream = made.add_stream("mp3", rate=44100)
        for frame in (*track.decode(audio=0), None):
            made.mux(stream.encode(frame))


def _short_recipe(text: str) -> str:
    """A recipe with a training of 32 pictures and films of half a second."""
    for setting, value in (("kimg", "0.032"), ("seconds", "0.5"), ("snapshots", '"0,0.016,0.032"')):
        text = re.sub(rf"(?m)^{setting} = .*", f"{setting} = {value}", text)
    return re.sub(r"\{finetune\}@[\d.]+", "{finetune}", text)


def _forced(words: list[str]) -> list[str]:
    """`--force` where the command takes it, since pages reuse names."""
    command = HELPS.get(" ".join(words[:2])) or HELPS[words[0]]
    return ["--force"] if any("--force" in param.opts for param in command.params) else []


def _run(words: list[str]) -> None:
    result = CliRunner().invoke(bend, words, prog_name="bend")
    assert result.exit_code == 0, f"bend {' '.join(words)}\n{result.output}\n{result.exception!r}"


def _newcomers_folder(folder: Path) -> None:
    """The folder of a person who has just cloned the project and scraped successfully."""
    shutil.copytree(ROOT / "datasets", folder / "datasets")
    shutil.copytree(ROOT / "examples", folder / "examples")
    for gathered in ("photos", "lichen"):
        shutil.copytree(ROOT / "datasets" / "sample", folder / gathered)


@pytest.mark.skipif(
    not any(PRETRAINED.glob("faces64.safetensors")), reason="the embedded network is not here"
)
def test_python_in_the_readme_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), names)
        picture = names["picture"]
        assert isinstance(picture, np.ndarray)
        assert picture.dtype == np.uint8
        assert picture.shape == (64, 64, 3)
        assert picture.std() > 10
