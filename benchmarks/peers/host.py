"""Our end of the wire: a peer's virtual environment, made when it is missing, and the process in it."""

import json
import os
import subprocess
import sys
import venv
from contextlib import suppress
from pathlib import Path

PEERS = {"gym-trading-env": "gym_trading_env", "gym-anytrading": "gym_anytrading", "torchtrade": "torchtrade"}
"""Script in this folder, by package on PyPI."""

ALSO = {"deepctr-torch": ["requests"]}
"""What a package imports and does not ask for."""

HERE = Path(__file__).parent
PINS = HERE / "constraints.txt"
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".venv-peers"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}


class PeerError(Exception):
    """A peer that cannot be installed or does not run; in a few words."""


class Peer:
    """A package in its own process, which times one of its settings when it is asked to and is idle between.

    Raises:
        PeerError: it could not be installed or started.
    """

    def __init__(self, package: str, candles: Path) -> None:
        python = install(package)
        command = [python, "-W", "ignore", "-m", f"benchmarks.peers.{PEERS[package]}", str(candles)]
        log = candles.with_name(f"{package}.log")
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | ONE_THREAD, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        greeting = self._answer()
        if not greeting:
            raise PeerError(f"does not run: {last_line(log.read_text())}")
        self.name = f"{package} {json.loads(greeting)['version']}"
        self.settings: dict[str, int] = json.loads(greeting)["settings"]

    def rate(self, number: int, seconds: float) -> float:
        """Steps a second of the setting with this number; 0 if the process has died."""
        with suppress(BrokenPipeError):
            print(number, seconds, file=self.process.stdin, flush=True)
        return float(self._answer() or 0)

    def stop(self) -> None:
        with suppress(BrokenPipeError):
            self.process.communicate()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


def install(package: str) -> str:
    """The Python of the package's environment; made anew when the pins change, marked last, so a broken set-up is repeated."""
    folder = ENVIRONMENTS / package
    python, marker = str(folder / "bin" / "python"), folder / ".installed"
    if not marker.exists() or marker.stat().st_mtime < PINS.stat().st_mtime:
        print(f"installing {package} into {folder.relative_to(ROOT)} ...", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(PINS), package]
        command += ALSO.get(package, [])
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise PeerError(f"not installed: {last_line(done.stderr)}")
        marker.touch()
    return python


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1][:60]
