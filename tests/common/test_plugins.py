"""Plugins: what they add is known by name, everything that is wrong with one is told in a line, and nothing is half loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

from common import InputError, Kind, blamed, copy_plugins, load_plugins, own_names, provider, unload_plugins

THINGS: dict[str, object] = {"old": 1}


class Row:
    def __init__(self, name: str) -> None:
        self.name = name


ROWS: list[Row] = []

KINDS = (
    Kind("REWARDS", lambda: THINGS, "a whole number", lambda value: isinstance(value, int)),
    Kind("LAYOUTS", lambda: ROWS, "a row", lambda value: hasattr(value, "name")),
)


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    ROWS[:] = [Row("first"), Row("last")]
    yield
    unload_plugins(KINDS)
    THINGS.clear()
    THINGS["old"] = 1


def write(name: str, content: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_what_a_plugin_holds_is_added_and_known_as_its_own():
    write("plugin_one.py", "REWARDS = {'new': 2}\n")
    hashes = load_plugins(["plugin_one.py"], KINDS)
    assert THINGS == {"old": 1, "new": 2}
    assert own_names("REWARDS") == {"new"}
    sha256 = subprocess.run(["sha256sum", "plugin_one.py"], capture_output=True, text=True, check=True).stdout.split()[0]
    assert hashes == {"plugin_one.py": sha256}


def test_an_own_layout_is_tried_before_the_projects():
    write("plugin_rows.py", "class Row:\n    name = 'mine'\nLAYOUTS = [Row()]\n")
    load_plugins(["plugin_rows.py"], KINDS)
    assert [row.name for row in ROWS] == ["mine", "first", "last"]


def test_an_entry_that_is_written_into_the_list_itself_counts_too(monkeypatch):
    write("plugin_direct.py", "import sys\nREWARDS = sys.modules['test_lists'].THINGS\nREWARDS['direct'] = 3\n")
    monkeypatch.setitem(sys.modules, "test_lists", sys.modules[__name__])
    load_plugins(["plugin_direct.py"], KINDS)
    assert own_names("REWARDS") == {"direct"}
    unload_plugins(KINDS)
    assert THINGS == {"old": 1}


def test_a_plugin_is_a_file_or_a_module_of_a_package():
    write("plugin_package/__init__.py", "")
    write("plugin_package/part.py", "from plugin_package.helper import VALUE\nREWARDS = {'packed': VALUE}\n")
    write("plugin_package/helper.py", "VALUE = 7\n")
    write("plugin_package/other.py", "raise SystemExit('not asked for')\n")
    before = load_plugins(["plugin_package.part"], KINDS)
    assert THINGS["packed"] == 7
    write("plugin_package/other.py", "another = 1\n")
    assert load_plugins(before, KINDS) == before  # a file that it does not import is no part of it
    write("plugin_package/helper.py", "VALUE = 8\n")
    with pytest.raises(InputError, match=r"the plugin plugin_package.part has changed since"):
        load_plugins(before, KINDS)


@pytest.mark.parametrize(
    ("helper", "words"),
    [("plugin_helper.py", "import plugin_helper"), ("plugin_helper.py", "from plugin_helper import VALUE"),
     ("plugin_help/deep.py", "import plugin_help.deep"), ("plugin_help/deep.py", "from plugin_help import deep"),
     ("plugin_help/deep.py", "from plugin_help.deep import VALUE")],
)  # fmt: skip
def test_the_files_that_a_plugin_imports_are_part_of_its_code(helper, words):
    write(helper, "VALUE = 1\n")
    write("plugin_with_helper.py", f"{words}\nREWARDS = {{'helped': 1}}\n")
    before = load_plugins(["plugin_with_helper.py"], KINDS)
    copy_plugins(before, Path("kept"))
    assert Path("kept", helper).read_text() == "VALUE = 1\n"
    write(helper, "VALUE = 2\n")
    with pytest.raises(InputError, match="has changed since"):
        load_plugins(before, KINDS)


def test_a_changed_plugin_is_not_run():
    write("plugin_changed.py", "REWARDS = {'new': 2}\n")
    before = load_plugins(["plugin_changed.py"], KINDS)
    write("plugin_changed.py", "from pathlib import Path\nPath('was_run').touch()\nREWARDS = {'new': 2}\n")
    with pytest.raises(InputError, match=r"the plugin plugin_changed.py has changed since \(hash \w{12}, then \w{12}\)"):
        load_plugins(before, KINDS)
    assert not Path("was_run").exists()
    assert THINGS["new"] == 2


def test_a_plugin_that_was_edited_is_loaded_anew_where_no_hash_is_asked_for():
    write("plugin_edited.py", "REWARDS = {'new': 2, 'gone': 3}\n")
    load_plugins(["plugin_edited.py"], KINDS)
    write("plugin_edited.py", "REWARDS = {'new': 5}\n")
    load_plugins(["plugin_edited.py"], KINDS)
    assert THINGS == {"old": 1, "new": 5}


def test_a_plugin_is_run_once_however_often_and_by_whatever_name_it_is_loaded():
    write(
        "plugin_once.py",
        "from pathlib import Path\nwith Path('runs.txt').open('a') as f:\n    f.write('x')\nREWARDS = {'new': 2}\n",
    )
    for name in ("plugin_once.py", "./plugin_once.py", str(Path("plugin_once.py").resolve())):
        load_plugins([name], KINDS)
    assert Path("runs.txt").read_text() == "x"


WRONG = {
    "REWARDS = {'old': 2}": r"may add to REWARDS and replace nothing, but plugin_wrong.py holds 'old', and the project has one",
    "REWARDS = {'new': 'two'}": r"an entry of REWARDS must be a whole number, but plugin_wrong.py has 'new': 'two'",
    "REWARDS = {'a,b': 2}": "needs a name without commas",
    "REWARDS = {3: 2}": "needs a name without commas",
    "REWARDS = [2]": "REWARDS of plugin_wrong.py must be a dict, but it is a list",
    "REWARDS = 2": "REWARDS of plugin_wrong.py must be a dict, but it is a int",
    "LAYOUTS = {'a': 2}": "LAYOUTS of plugin_wrong.py must be a list, but it is a dict",
    "REWARD = {'new': 2}": "plugin_wrong.py holds REWARD, which is no list of the project's; did you mean REWARDS?",
    "rewards = {'new': 2}": "did you mean REWARDS?",
    "REWARDS = {}": "must add something",
    "x = 1": "must add something, but plugin_wrong.py holds none of LAYOUTS",
    "x = 1\n\ny = = 2": "cannot be loaded: line 3: SyntaxError",
    "x = 1\ny = 1 / 0": "cannot be loaded: line 2: ZeroDivisionError: division by zero",
    "import no_such_module": "cannot be loaded: line 1: ModuleNotFoundError: No module named 'no_such_module'",
    "raise SystemExit(0)": "cannot be loaded: line 1: SystemExit",
}


@pytest.mark.parametrize("content", WRONG)
def test_a_wrong_plugin_is_told_in_one_line_and_leaves_nothing_behind(content):
    write("plugin_wrong.py", f"{content}\n")
    with pytest.raises(InputError) as caught:
        load_plugins(["plugin_wrong.py"], KINDS)
    assert WRONG[content] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert THINGS == {"old": 1}
    assert not own_names("REWARDS")


def test_a_plugin_that_fails_half_way_leaves_nothing_behind(monkeypatch):
    monkeypatch.setitem(sys.modules, "test_lists", sys.modules[__name__])
    write(
        "plugin_half.py",
        "from test_lists import THINGS as REWARDS\nREWARDS['half'] = 1\nREWARDS['old'] = 9\n\n1 / 0\n",
    )
    with pytest.raises(InputError, match="line 5: ZeroDivisionError"):
        load_plugins(["plugin_half.py"], KINDS)
    assert THINGS == {"old": 1}


def test_two_plugins_with_one_name_are_refused_with_both():
    write("plugin_first.py", "REWARDS = {'new': 2}\n")
    write("plugin_second.py", "REWARDS = {'new': 3}\n")
    with pytest.raises(InputError, match=r"plugin_second.py holds 'new', and the plugin plugin_first.py has one"):
        load_plugins(["plugin_first.py", "plugin_second.py"], KINDS)


@pytest.mark.parametrize("name", ["no_such.py", "no_such_module", "no.such.module", "folder"])
def test_a_missing_plugin_is_refused_by_its_name(name):
    Path("folder").mkdir()
    with pytest.raises(InputError, match=rf"there is no plugin {name} \(looked in "):
        load_plugins([name], KINDS)


def test_no_code_is_run_from_a_run_folder():
    write("runs/a-001/data.sha256", "x")
    write("runs/a-001/plugins/plugin_evil.py", "from pathlib import Path\nPath('was_run').touch()\nREWARDS = {'new': 2}\n")
    with pytest.raises(InputError, match="no code is run from a run folder"):
        load_plugins(["runs/a-001/plugins/plugin_evil.py"], KINDS)
    assert not Path("was_run").exists()


@pytest.mark.parametrize("name", ["random.py", "numpy.py", "common.py", "my-ideas.py"])
def test_a_plugin_may_not_have_the_name_of_another_module(name):
    write(name, "REWARDS = {'new': 2}\n")
    with pytest.raises(InputError, match=r"rename it"):
        load_plugins([name], KINDS)


def test_a_file_beside_a_plugin_hides_no_module_of_others():
    write("ideas/random.py", "raise RuntimeError\n")
    write("ideas/plugin_beside.py", "import random\nREWARDS = {'new': random.Random(0).randint(1, 1)}\n")
    load_plugins(["ideas/plugin_beside.py"], KINDS)
    assert THINGS["new"] == 1


def test_what_a_plugin_raises_while_it_is_used_names_it_and_the_line():
    write("plugin_fails.py", "def f():\n    return [][1]\nREWARDS = {'new': 2}\n")
    load_plugins(["plugin_fails.py"], KINDS)
    assert provider("REWARDS", "new")
    with pytest.raises(InputError) as caught, blamed("REWARDS", "new"):
        sys.modules["plugin_fails"].f()
    assert str(caught.value) == "'new' of the plugin plugin_fails.py failed: line 2: IndexError: list index out of range"
    with pytest.raises(IndexError), blamed("REWARDS", "old"):  # of the project's own it is a fault of the project's
        sys.modules["plugin_fails"].f()


def test_one_plugin_has_one_name_however_it_is_spelled():
    write("plugin_spelled.py", "REWARDS = {'new': 2}\n")
    spellings = ["plugin_spelled.py", "./plugin_spelled.py", str(Path("plugin_spelled.py").resolve())]
    assert list(load_plugins(spellings, KINDS)) == ["plugin_spelled.py"]


def test_the_same_code_elsewhere_stands_in_for_a_plugin_that_was_moved():
    write("plugin_moved.py", "REWARDS = {'new': 2}\n")
    before = load_plugins(["plugin_moved.py"], KINDS)
    unload_plugins(KINDS)
    Path("elsewhere").mkdir()
    Path("plugin_moved.py").rename("elsewhere/plugin_moved.py")
    with pytest.raises(InputError, match="--plugin says where the same code lies now"):
        load_plugins(before, KINDS)
    assert load_plugins({**before, "elsewhere/plugin_moved.py": None}, KINDS) == before
    assert own_names("REWARDS") == {"new"}
    unload_plugins(KINDS)
    write("elsewhere/plugin_moved.py", "REWARDS = {'new': 3}\n")
    with pytest.raises(InputError, match=r"there is no plugin plugin_moved.py"):
        load_plugins({**before, "elsewhere/plugin_moved.py": None}, KINDS)


def test_the_lists_that_are_asked_for_are_those_of_the_rooms():
    from common import LISTS
    from configs.plugins import kinds

    assert {kind.name for kind in kinds()} == set(LISTS)
