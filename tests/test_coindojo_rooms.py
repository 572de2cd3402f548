"""A folder of somebody else's that has the name of a room, and an installation without the extras."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import coindojo_rooms
from coindojo_rooms import ROOMS

ROOT = Path(__file__).parents[1]
FORMS = ("file", "package", "folder without an __init__.py")
EDITABLE = """
import sys
from importlib.machinery import PathFinder

class Finder:
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [{root!r}]) if path is None else None

sys.meta_path.insert(sys.meta_path.index(PathFinder) + 1, Finder)
"""
"""An editable installation finds our rooms by a finder behind that of the path, so that even a folder of data hides one."""


def hide(place: Path, name: str, form: str) -> Path:
    """Put something of that name into the folder."""
    theirs = place / f"{name}.py" if form == "file" else place / name
    if form == "file":
        theirs.write_text("mine = 1\n")
    else:
        theirs.mkdir()
        (theirs / ("__init__.py" if form == "package" else "data.csv")).touch()
    return theirs


def run_python(place: Path, code: str, *, editable: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the code in a folder, which comes first on the path, as in a notebook; our rooms are found behind it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if editable:
        code = EDITABLE.format(root=str(ROOT)) + code
    else:
        environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("room", ROOMS[:-1])
def test_a_room_hidden_by_a_module_of_the_same_name_is_named_with_both_places(room, tmp_path):
    """`common`, of which our own check cannot be a part, among them. Any room above it says so."""
    theirs = hide(tmp_path, room, "file")
    ran = run_python(tmp_path, f"import {ROOMS[ROOMS.index(room) + 1]}")
    said = ran.stderr.strip().splitlines()[-1]
    assert f"HiddenRoomError: CoinDojo imports its own `{room}` from {ROOT / room}, but Python finds {theirs} first" in said
    assert said.endswith("; rename or remove that, or start Python in another folder")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["common", "features"])
def test_files_packages_and_folders_of_data_hide_a_room_of_an_editable_installation(name, form, tmp_path):
    theirs = hide(tmp_path, name, form)
    ran = run_python(tmp_path, "from envs import BitcoinTradingEnv", editable=True)
    assert f"but Python finds {theirs}" in ran.stderr.strip().splitlines()[-1]


def test_a_module_that_was_imported_before_ours_is_named_too(tmp_path):
    theirs = hide(tmp_path, "features", "package")
    ran = run_python(tmp_path, f"import features, sys; sys.path[:] = [{str(ROOT)!r}, *sys.path[1:]]; import envs")
    assert f"but Python finds {theirs}" in ran.stderr.strip().splitlines()[-1]


def test_a_script_in_the_folder_is_told_as_well(tmp_path):
    hide(tmp_path, "configs", "package")
    theirs = hide(tmp_path, "market", "package")
    script = tmp_path / "mine.py"
    script.write_text("import envs\n")
    ran = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert f"but Python finds {theirs} first" in ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "agents", "search", "configs", "coindojo"])
def test_a_name_that_the_room_does_not_import_is_free(name, tmp_path):
    """A folder `agents/` of one's own, or a clone in `coindojo/`, is no trouble for who uses the environment alone."""
    hide(tmp_path, name, "package")
    ran = run_python(tmp_path, "from envs import BitcoinTradingEnv; print('fine')", editable=True)
    assert (ran.stdout.strip(), ran.returncode) == ("fine", 0), ran.stderr


def test_all_rooms_can_be_looked_at_by_hand(tmp_path):
    by_hand = [sys.executable, "-m", "coindojo_rooms"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(by_hand, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"all rooms are those of {ROOT}"
    theirs = hide(tmp_path, "search", "file")
    ran = subprocess.run(by_hand, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert f"but Python finds {theirs} first" in ran.stderr


def test_the_rooms_are_those_that_are_there():
    assert {path.parent.name for path in ROOT.glob("*/__init__.pyi")} == set(ROOMS)
    coindojo_rooms.require_our_rooms()
