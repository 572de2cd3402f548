"""Candles for all tests: simulated ones, and the real Coinbase files where they are at hand."""

import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from scripts import end_processes

from benchmarks.mutations.promises import promises
from common import LISTS, own_names
from configs import unload_plugins
from features import FeatureMatrix, FeaturePipeline
from market import Candles, Split, simulate, split

LEDGERS = tempfile.TemporaryDirectory(prefix="coindojo-ledger-")
os.environ["COINDOJO_LEDGER"] = LEDGERS.name  # never the user's own; what the tests start inherits it
os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background of a shell script ignores Ctrl-C, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same cases in every run, so that a result can be repeated; HYPOTHESIS_PROFILE=explore draws new ones.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore")
settings.register_profile("first failure", derandomize=True, phases=(Phase.explicit, Phase.generate))  # not the simplest one
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("COINDOJO_DATA", ROOT.parent / "shared" / "data"))


PROMISED = tuple(promise.test for promise in promises())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With COINDOJO_PROMISES=kept, as in CI, a promise of the README that skips its test has failed it."""
    report = yield
    if report.skipped and os.environ.get("COINDOJO_PROMISES") == "kept" and item.nodeid.startswith(PROMISED):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} keeps a promise of the README, so it may not skip here: {report.longrepr}"
    return report


@pytest.fixture(scope="module", autouse=True)
def _a_ledger_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests of a module share a user's ledger with each other, and with no other module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COINDOJO_LEDGER", str(tmp_path_factory.mktemp("user-ledger")))
        yield


@pytest.fixture(autouse=True)
def _nothing_runs_on() -> Iterator[None]:
    """A test that fails leaves no process behind."""
    yield
    end_processes()


@pytest.fixture(autouse=True)
def _no_plugin_stays() -> Iterator[None]:
    """What a test has loaded is not known to the next one."""
    yield
    if any(own_names(kind) for kind in LISTS):
        unload_plugins()


@pytest.fixture(scope="session")
def candles() -> Candles:
    return simulate("bitcoin", bars=1_500, seed=7)


@pytest.fixture(scope="session")
def parts(candles: Candles) -> Split:
    return split(candles)


@pytest.fixture(scope="session")
def matrix(candles: Candles, parts: Split) -> FeatureMatrix:
    """Features of all 1,500 bars, fitted on the train range."""
    return FeaturePipeline().fit(parts.train.candles).transform(candles)


@pytest.fixture(scope="session")
def ctr() -> Path:
    """Click-through files."""
    path = DATA / "ctr"
    if not path.exists():
        pytest.skip(f"the click-through files {path} are not here; COINDOJO_DATA names the folder above them")
    return path


@pytest.fixture(scope="session")
def coinbase_hourly() -> Path:
    path = DATA / "coinbase-btcusd-1h.csv"
    if not path.exists():
        pytest.skip(f"the real candle file {path} is not here; COINDOJO_DATA names its folder")
    return path
