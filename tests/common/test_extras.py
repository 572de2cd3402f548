"""What is said where a package of an extra is missing: one line, which names the package and the command."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from helpers import no_features

import agents
import envs
from common import EXTRAS, InputError, MissingPackageError, exit_code, explained, needed_for, require_extras
from common.extras import INSTALLED_AS
from market import simulate

ROOT = Path(__file__).parents[2]
ABSENT = """
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in {packages} else find(name, *rest)
"""
"""As a lean installation is: nothing of these names is found."""
HEAVY = [package for extra in ("train", "search", "report", "images") for package in EXTRAS[extra]]


def run_lean(place: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = ABSENT.format(packages=HEAVY) + code
    return subprocess.run([sys.executable, "-c", whole], cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_the_environment_its_features_and_the_benchmarks_need_no_extra(tmp_path):
    """The core: what `pip install .` brings."""
    code = """
import gymnasium, envs
from agents import BuyAndHold, RsiDivergence
from evaluation import judge, leak_audit, metrics, play
from features import FeaturePipeline
from market import simulate

candles = simulate("bitcoin", bars=700, seed=5)
features = FeaturePipeline().fit(candles).transform(candles)
env = gymnasium.make("coindojo/BitcoinTrading-v0", candles=candles, features=features)
env.reset(seed=0)
env.step(0)
print(env.get_wrapper_attr("action_masks")().sum(), metrics(play(candles, features, envs.EnvSettings(), BuyAndHold()))["trades"])
"""
    ran = run_lean(tmp_path, code)
    assert ran.stdout.split() == ["8", "1"], ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("train", "train.py needs torch and optuna, which are not installed: pip install -e '.[train,search]'"),
        ("backtest", "backtest.py needs torch and matplotlib, which are not installed: pip install -e '.[train,report]'"),
    ],
)
def test_a_script_without_its_extra_says_so_in_one_line(script, line, tmp_path):
    code = f"sys.argv = ['{script}.py']; import configs, {script}; configs.run({script}.main)"
    ran = run_lean(tmp_path, code)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: {line}\n"
    assert not list(tmp_path.iterdir())
    assert run_lean(tmp_path, code.replace(".py']", ".py', '--help']")).returncode == 0


@pytest.mark.parametrize(
    ("package", "use", "line"),
    [
        ("stable_baselines3", lambda: envs.BitcoinTradingVecEnv, "`envs.BitcoinTradingVecEnv` needs stable-baselines3"),
        ("torch", lambda: agents.LearnedAgent, "`agents.LearnedAgent` needs torch"),
    ],
)
def test_a_name_of_a_room_says_what_it_needs(package, use, line, tmp_path):
    name = line.split("`")[1]
    ran = run_lean(tmp_path, f"from {name.split('.')[0]} import {name.split('.')[1]}")
    assert ran.stderr.strip().splitlines()[-1].endswith(f"{line}, which is not installed: pip install -e '.[train]'")


def test_a_picture_without_matplotlib_is_one_line(monkeypatch):
    candles = simulate("bitcoin", bars=50, seed=0)
    monkeypatch.setitem(sys.modules, "envs.rendering", None)
    monkeypatch.delitem(sys.modules, "envs.rendering")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"drawing an episode needs matplotlib, .*: pip install -e '\.\[report\]'"):
        envs.BitcoinTradingEnv(candles, no_features(candles), render_mode="rgb_array")


def test_a_missing_package_of_no_extra_stays_what_it_is(capsys):
    assert explained(ModuleNotFoundError("No module named 'x'", name="x.y"), "this") is None
    with pytest.raises(ModuleNotFoundError, match="nowhere"), needed_for("this"):
        import nowhere  # type: ignore[import-not-found]  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        exit_code(lambda: __import__("nowhere").x)

    def command() -> int:
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")

    assert exit_code(command) == 2
    assert capsys.readouterr().err == "error: this command needs torch, which is not installed: pip install -e '.[train]'\n"


def test_the_error_is_wrong_input_and_a_failed_import(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingPackageError, match="optuna") as error:
        require_extras("a search", "search")
    assert isinstance(error.value, InputError)
    assert isinstance(error.value, ModuleNotFoundError)
    assert error.value.name == "optuna"
    require_extras("a report", "report")


def test_the_extras_are_those_of_the_project():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        named = {re.split(r"[<>=\[]", requirement)[0].replace("-", "_") for requirement in extras[extra]}
        assert named == {INSTALLED_AS.get(package, package) for package in packages}, extra
    assert set(extras["lab"][0].removeprefix("coindojo[").rstrip("]").split(",")) == {"train", "search", "report", "images"}
