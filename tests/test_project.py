"""The project as a whole: what a wheel holds, what is pinned, and the rules that every source file keeps."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bend", "stylegan", "scrapers")


def sources(*folders: str) -> dict[str, str]:
    """Every source file in folders by its path."""
    return {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


@pytest.fixture(scope="module")
def shipped() -> dict[str, ast.Module]:
    """What a wheel holds."""
    return {name: ast.parse(text) for name, text in sources(*PACKAGES).items()}


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from this tree without the network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(next(out.glob("bend_gan-*.whl")))


@pytest.mark.slow
def test_wheel_installs_three_packages_and_no_other(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert not [name for name in wheel.namelist() if "tests/" in name or "__pycache__" in name]


@pytest.mark.slow
def test_wheel_holds_every_source_and_the_bundled_files(
    wheel: zipfile.ZipFile, shipped: dict[str, ast.Module]
) -> None:
    names = set(wheel.namelist())
    assert shipped.keys() <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    bundled = {f"bend/{path.relative_to(ROOT)}" for path in (ROOT / "datasets").rglob("*") if path.is_file()}
    assert len(bundled) > 12
    assert bundled <= names
    weights = {
        str(path.relative_to(ROOT)) for path in (ROOT / "stylegan" / "pretrained").glob("*.safetensors")
    }
    assert weights <= names
    kernels = {str(path.relative_to(ROOT)) for path in (ROOT / "stylegan" / "ops" / "csrc").iterdir()}
    assert {"stylegan/ops/csrc/bias_act.cpp", "stylegan/ops/csrc/bias_act.cu"} <= kernels <= names


@pytest.mark.slow
def test_bend_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import bend.bundled\n"
        "print(bend.bundled.sample_folder())"
    )
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()) == tmp_path / "site" / "bend" / "datasets" / "sample"


def test_make_help_names_every_target_that_the_docs_name() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    listed = set(re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE))
    assert {"help", "install", "demo", "test", "test-all", "lint", "bench", "docs", "clean"} <= listed
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / ".ci" / "run"]
    named = {
        name
        for page in pages
        for name in re.findall(r"(?:^|[ `])make ([a-z-]+)", page.read_text("utf-8"), re.M)
    }
    assert named - {"a", "an", "one", "no"} <= listed


def test_datasets_hold_no_python() -> None:
    assert not [path for path in (ROOT / "datasets").rglob("*") if path.suffix.startswith(".py")]


def test_every_direct_dependency_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    pinned = pins()
    for line in (*project["dependencies"], *(line for extra in extras for line in extra)):
        wanted = Requirement(line)
        pin = pinned.get(canonicalize_name(wanted.name))
        assert pin is not None, f"constraints.txt does not pin {wanted.name}"
        assert wanted.specifier.contains(str(pin.specifier).removeprefix("==")), f"{pin} is outside {wanted}"


def test_every_module_opens_by_saying_what_it_is() -> None:
    texts = sources(*PACKAGES, "tests", "benchmarks", "docs")
    silent = [name for name, text in texts.items() if text and not re.match(r'(#.*\n)*r?"""', text)]
    assert not silent


def test_modules_that_docstrings_name_are_there(shipped: dict[str, ast.Module]) -> None:
    """Dotted names, and the modules whose business a module leaves to them (`render`'s, `cards`')."""
    trees = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): tree
        for name, tree in shipped.items()
    }
    modules = {part for name in trees for part in name.split(".")}
    lost = []
    for name, tree in trees.items():
        for text in _docstrings(tree):
            for dotted in re.findall(r"`((?:bend|stylegan|scrapers)(?:\.\w+)+)`", text):
                module = next(found for found in _prefixes(dotted) if found in trees)
                attribute = dotted.removeprefix(module).split(".")[1:2]
                if not _identifiers(trees[module]).issuperset(attribute):
                    lost.append(f"{name}: {dotted}")
        owners = re.findall(r"`([a-z_0-9]+)`'", ast.get_docstring(tree) or "")
        lost += [f"{name}: {owner}" for owner in owners if owner not in modules]
    assert not lost


def _docstrings(tree: ast.Module) -> list[str]:
    """Those of a module, its classes and functions, and the texts below constants and fields."""
    return [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]


def _prefixes(dotted: str) -> list[str]:
    parts = dotted.split(".")
    return [".".join(parts[:num]) for num in range(len(parts), 0, -1)]


def _identifiers(tree: ast.Module) -> set[str]:
    return {str(getattr(node, "name", getattr(node, "id", ""))) for node in ast.walk(tree)}


def test_nothing_prints_but_the_command_line(shipped: dict[str, ast.Module]) -> None:
    printing = [
        f"{name}:{node.lineno}"
        for name, tree in shipped.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write")
    ]
    assert not printing, "raise, return or click.echo instead"


def test_functions_stay_short(shipped: dict[str, ast.Module]) -> None:
    long = [
        f"{name}: {node.name}"
        for name, tree in shipped.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= 80
    ]
    assert not long
