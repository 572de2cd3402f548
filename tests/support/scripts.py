"""Runs the scripts: most often within this process, since imports take seconds, and as a process where signals matter."""

import contextlib
import importlib
import io
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from common import exit_code
from search import find_study, has_settings

ROOT = Path(__file__).parents[2]
SETTINGS = """
name: small
market: {bars: 1500}
features: {indicators: [rsi, ema_8]}
agent: {n_envs: 4, n_steps: 16, n_epochs: 1, lstm_size: 8}
"""
"""of an experiment that takes seconds"""
MARK = "COINDOJO_TEST_PROCESS"
"""environment variable of every process that a test starts, and of all that these start"""
SESSION = uuid.uuid4().hex
OPEN: dict[tuple[str, str], Study] = {}
STARTED: list[subprocess.Popen[str]] = []
"""processes of the test that is running"""


@dataclass(frozen=True)
class Ran:
    """What came of a script."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def folder(self) -> Path:
        """The run folder that it names."""
        return Path(self.stdout.split("run folder: ")[1].split()[0])


def run_script(place: Path, name: str, *arguments: str) -> Ran:
    """Run `python NAME.py ARGUMENTS` in a folder, within this process."""
    out, error = io.StringIO(), io.StringIO()
    main = importlib.import_module(name).main
    with contextlib.chdir(place), contextlib.redirect_stdout(out), contextlib.redirect_stderr(error), _arguments(name, arguments):
        try:
            code = exit_code(main)
        except SystemExit as stop:  # argparse: help, or a wrong option
            code = int(stop.code or 0)
    return Ran(code, out.getvalue(), error.getvalue())


def run_well(place: Path, name: str, *arguments: str) -> Ran:
    """The same of what must end well."""
    ran = run_script(place, name, *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


@contextlib.contextmanager
def _arguments(name: str, arguments: tuple[str, ...]) -> Iterator[None]:
    """The command line, and the signal handlers as they were."""
    before, sys.argv = sys.argv, [f"{name}.py", *arguments]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        sys.argv = before
        for number, handler in handlers.items():
            signal.signal(number, handler)


def start(place: Path, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """The script as a process, with more variables in its environment; `end_processes` ends it after the test, however that
    went."""
    command = [sys.executable, str(ROOT / f"{name}.py"), *arguments]
    variables = os.environ | {"PYTHONUNBUFFERED": "1", MARK: SESSION} | dict(environment or {})
    process = subprocess.Popen(
        command, cwd=place, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    STARTED.append(process)
    return process


def end_processes() -> list[str]:
    """Kill what the last test started and left behind, children in sessions of their own included; returns their commands."""
    if not STARTED:
        return []
    STARTED.clear()
    killed = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == SESSION and process.status() != psutil.STATUS_ZOMBIE:
                killed.append(" ".join(process.cmdline()))
                process.kill()
    return killed


def wait_for(condition: Callable[[], Any], seconds: float = 240.0) -> Any:
    """The condition's value, once there is one."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return value


@dataclass(frozen=True)
class Studied:
    """The trials of a study at one moment."""

    trials: list[FrozenTrial]

    @property
    def finished(self) -> int:
        return sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in self.trials)

    @property
    def running(self) -> dict[int, FrozenTrial]:
        """By the process that runs each."""
        trials = [trial for trial in self.trials if trial.state == TrialState.RUNNING and has_settings(trial)]
        return {process_of(trial): trial for trial in trials}


def process_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["worker"].split(":")[1])


def study_of(storage: str, name: str) -> Study:
    """The study, which must be there."""
    study = find_study(storage, name)
    assert study
    return study


def studied(storage: str, name: str) -> Studied:
    """Opened once, looked at again each time; no trials while there is no study."""
    study = OPEN.get((storage, name)) or find_study(storage, name)
    if study:
        OPEN[storage, name] = study
    return Studied(study.get_trials() if study else [])
