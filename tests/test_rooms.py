"""Imports run only downwards, and the house is what the README says."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ["market", "features", "envs", "agents", "evaluation", "configs"]
SCRIPTS = ["optimize", "train", "backtest", "forecast"]
FRONT_DOORS = ["features.forecasters"]  # a room within a room


def imported_rooms(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the room"
            names.add((node.module or "").split(".")[0])
    return names & {*ORDER, *SCRIPTS}


@pytest.mark.parametrize("room", ORDER)
def test_imports_run_only_downwards(room):
    """The laboratory's command is a script: it reads an experiment."""
    allowed = set(ORDER[: ORDER.index(room) + 1])
    for path in (ROOT / room).rglob("*.py"):
        assert imported_rooms(path) <= (set(ORDER) if path == ROOT / "evaluation" / "__main__.py" else allowed), path


@pytest.mark.parametrize("room", ORDER)
def test_a_room_is_entered_through_its_front_door(room):
    """Other rooms and the scripts import `room`, never `room.something`, which has no door of its own."""
    outside = [path for other in ORDER if other != room for path in (ROOT / other).rglob("*.py")]
    for path in [*outside, *(ROOT / f"{script}.py" for script in SCRIPTS)]:
        entered = re.findall(rf"^\s*(?:from|import) ({room}\.[\w.]+)", path.read_text(), re.MULTILINE)
        assert set(entered) <= set(FRONT_DOORS), path


def test_the_forecasters_know_nothing_of_the_pipeline_above_them():
    """They are a room between the candles and the columns: of `features` they take SARIMAX and the sealed files."""
    for path in (ROOT / "features" / "forecasters").glob("*.py"):
        imported = re.findall(r"^\s*(?:from|import) (features[\w.]*) import (.*)$", path.read_text(), re.MULTILINE)
        outside = {(room, names) for room, names in imported if not room.startswith("features.forecasters")}
        assert outside <= {("features", "sarimax"), ("features.sealed", "SealError, read_sealed, write_sealed"),
                           ("features.sealed", "read_sealed, write_sealed")}, path  # fmt: skip


def test_the_kernel_imports_nothing_of_ours():
    assert imported_rooms(ROOT / "envs" / "kernel.py") == set()


def test_scripts_stay_short():
    for script in SCRIPTS:
        assert len((ROOT / f"{script}.py").read_text().splitlines()) <= 150, script


def test_every_dependency_stands_in_the_readme_and_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = re.findall(r"^([a-z0-9.-]+)==[\w.]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    readme = (ROOT / "README.md").read_text()
    for requirement in project["dependencies"]:
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
