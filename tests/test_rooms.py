"""Imports run only downwards, and the house is what the README says."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["common", "market", "features", "envs", "agents", "evaluation", "training", "search", "configs"]
PARTS = ["episode", "audit", "oracles", "statistics", "backtest", "report", "forecasts", "images"]
"""of `evaluation`, in the order in which they may import each other; `audit` and `oracles` are neighbours"""
SCRIPTS = ["optimize", "train", "backtest", "forecast", "audit"]
PACKAGES = [
    ".".join(path.parent.relative_to(ROOT).parts) for room in ORDER for path in sorted((ROOT / room).rglob("__init__.py"))
]


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import, `from a import b` as both `a` and `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the room"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def imported_rooms(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)} & {*ORDER, *SCRIPTS}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def modules_below(package: str) -> set[str]:
    return {path.stem for path in (ROOT / package.replace(".", "/")).iterdir() if path.suffix == ".py" or path.is_dir()}


@pytest.mark.parametrize("room", ORDER)
def test_imports_run_only_downwards(room):
    allowed = set(ORDER[: ORDER.index(room) + 1])
    for path in sources(room):
        assert imported_rooms(path) <= allowed, path


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_of_evaluation_import_only_downwards(part):
    neighbours = {"audit": {"oracles"}, "oracles": {"audit"}}.get(part, set())
    allowed = {*PARTS[: PARTS.index(part) + 1]} - neighbours
    paths = [ROOT / "evaluation" / "episode.py"] if part == "episode" else sources(f"evaluation/{part}")
    for path in paths:
        named = {name.split(".")[1] for name in imported(path) if name.startswith("evaluation.")}
        assert named & set(PARTS) <= allowed, path
        assert "evaluation" not in imported(path) or {f"evaluation.{other}" for other in PARTS} & imported(path), path


def test_no_module_imports_itself_through_others():
    """No circle between modules; what only a type checker sees does not count."""
    graph = {}
    for path in (path for room in ORDER for path in sources(room)):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        graph[name] = {other for other in imported_at_once(path) if other != name}
    graph = {name: {other for other in others if other in graph} for name, others in graph.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def imported_at_once(path: Path) -> set[str]:
    """The modules that importing the file imports: not those within its functions, nor below `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text())
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names.add(behind_the_door(f"{node.module}", alias.name))
    return names


def behind_the_door(package: str, name: str) -> str:
    """The module that `from package import name` gets the name from."""
    stub = ROOT / package.replace(".", "/") / "__init__.pyi"
    if not stub.exists():
        return package
    for node in ast.walk(ast.parse(stub.read_text())):
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return behind_the_door(f"{package}.{node.module}", name)
    return f"{package}.{name}"  # a module


@pytest.mark.parametrize("room", ORDER)
def test_a_room_is_entered_through_a_front_door(room):
    """Other rooms and the scripts import from packages, never from `room.module`, which has no door of its own."""
    outside = [path for other in ORDER if other != room for path in sources(other)]
    for path in [*outside, *(ROOT / f"{script}.py" for script in SCRIPTS)]:
        entered = re.findall(rf"^\s*(?:from|import) ({room}\.[\w.]+)", path.read_text(), re.MULTILINE)
        assert set(entered) <= set(PACKAGES), path


@pytest.mark.parametrize("package", PACKAGES)
def test_a_front_door_opens_and_hides_no_module(package):
    """Each name is there; none is that of a module, which importing the module would put in the name's place."""
    door = importlib.import_module(package)
    assert door.__all__
    for name in door.__all__:
        value = getattr(door, name)
        assert name not in modules_below(package) or isinstance(value, ModuleType), name


def test_the_front_door_of_evaluation_names_what_a_user_imports():
    assert len(importlib.import_module("evaluation").__all__) <= 25


PIPELINE = {"settings", "column_families", "pipeline", "fitted", "cache", "coin_features", "correlation", "scaler", "lookback"}
"""modules of `features` that stand above the forecasters"""


def test_the_forecasters_know_nothing_of_the_pipeline_above_them():
    """They are a room between the formulas of columns and the pipeline; the models of interactions know of fields alone."""
    for path in sources("features/forecasters"):
        ours = {name.split(".")[1] for name in imported(path) if name.startswith("features.")}
        assert not ours & PIPELINE, path
    for path in sources("features/fields"):
        assert not any(name.startswith(("features.interactions", "features.forecasters")) for name in imported(path)), path
    for path in sources("features/interactions"):
        ours = {name.split(".")[1] for name in imported(path) if name.startswith("features.")}
        assert ours <= {"fields", "interactions", "epochs", "torch_tools"}, path
    for path in sources("features/images"):
        ours = {name.split(".")[1] for name in imported(path) if name.startswith("features.")}
        assert ours <= {"images", "epochs", "progress", "torch_tools"}, path


LIGHT = (
    "import sys; {}; print(*sorted({{'torch', 'statsmodels', 'stable_baselines3', 'matplotlib', 'optuna'}} & set(sys.modules)))"
)


@pytest.mark.parametrize(
    "code",
    [
        "import envs",
        "from envs import BitcoinTradingEnv, BitcoinTradingVectorEnv, EnvSettings",
        "import configs; configs.make_parser('a\\n\\nb')",
        *(f"import {script}" for script in SCRIPTS),
    ],
)
def test_what_is_not_needed_is_not_imported(code):
    """Seconds of torch, statsmodels and Stable-Baselines3 for who only wants an environment, or the help of a script."""
    said = subprocess.run([sys.executable, "-c", LIGHT.format(code)], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split() == []


def test_the_kernel_imports_nothing_of_ours():
    assert imported_rooms(ROOT / "envs" / "kernel.py") == set()


def test_scripts_stay_short():
    for script in SCRIPTS:
        assert len((ROOT / f"{script}.py").read_text().splitlines()) <= 150, script


def test_every_dependency_stands_in_the_readme_and_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = re.findall(r"^([a-z0-9.-]+)==[\w.]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    extras = ("train", "search", "report", "images")
    required = [requirement for extra in extras for requirement in project["optional-dependencies"][extra]]
    for requirement in [*project["dependencies"], *required]:
        name = re.split(r"[<>=]", requirement)[0]
        assert name in pinned, name
        assert f"| {name} |" in readme, name


def test_every_promise_of_the_readme_is_a_test():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "README.md").read_text())
    assert len(named) > 10
    for path, test in named:
        assert f"def {test}" in (ROOT / path).read_text(), (path, test)


def test_constraints_are_plain_pins():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[a-z0-9.-]+==[\w.]+", line), line
