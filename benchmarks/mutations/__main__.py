"""Break each promise of the README on purpose, and see whether the test that it names turns red.

    python -m benchmarks.mutations                       # all breaks, two at a time
    python -m benchmarks.mutations ledger kernel         # those with one of these words in their test, file or fault
    python -m benchmarks.mutations --times               # the slowest last, with their seconds

Each break is put into a copy of the repository in a temporary folder, where the named test runs alone. It is caught if that test
fails; not if it passes or skips. Ends with 1 if any break was missed or does not fit the code.
"""

import argparse
import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.mutations.breaks import BREAKS
from benchmarks.mutations.forked import RAN, run_test
from benchmarks.mutations.patches import Break, PatchError, apply
from benchmarks.mutations.promises import ROOT

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache", "runs", "cache", "build", "*.egg-info", "*.db"
)
COMPILED = ("*.nbi", "*.nbc")
PRELOADED = [
    "torch", "sb3_contrib", "stable_baselines3.common.vec_env", "pandas", "numba", "scipy.stats", "matplotlib.pyplot", "optuna",
    "statsmodels.tsa.api", "ta", "pydantic", "gymnasium", "hypothesis", "pytest", "empyrical", "rich.console", "yaml", "h5py",
]  # fmt: skip
"""imported once, by the server that all tests are forked from; nothing of ours, which each copy brings"""
LONGEST = 400.0
"""seconds until a test that does not end counts as caught: a promise that takes for ever is not kept"""
VERDICTS = {RAN: "MISSED", RAN + 1: "caught"}
"""by the exit code; all others mean that the test could not be run"""
WITHOUT = {RAN: "passed", RAN + 1: "FAILED"}
"""the same without a break"""


class Result(NamedTuple):
    """What became of a break."""

    one: Break
    verdict: str
    seconds: float
    output: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only breaks with one of these words")
    parser.add_argument("--jobs", type=int, default=2, help="tests at a time")
    parser.add_argument("--times", action="store_true", help="order by seconds")
    parser.add_argument("--unbroken", action="store_true", help="run the tests without the breaks: each must pass alone")
    parser.add_argument("--verbose", action="store_true", help="show the end of each test's output")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C, also where a shell in the background ignores it; a stop like Ctrl-C
        signal.signal(number, signal.default_int_handler)
    wanted = [one for one in BREAKS if not options.words or any(word in repr(one) for word in options.words)]
    if options.unbroken:
        wanted = [Break(test, "unbroken", "README.md", "", "", "") for test in dict.fromkeys(one.selected for one in wanted)]
    began, results = time.monotonic(), []
    try:
        for result in run(wanted, options.jobs):
            results.append(result)
            if not options.times:
                _show(result, options.verbose)
    except KeyboardInterrupt:
        print(f"interrupted after {len(results)} of {len(wanted)}")
        return 130
    if options.times:
        for result in sorted(results, key=lambda result: result.seconds):
            _show(result, options.verbose)
    right = [result for result in results if result.verdict == ("passed" if options.unbroken else "caught")]
    what = "tests passed without a break" if options.unbroken else "breaks were caught"
    print(f"{len(right)} of {len(results)} {what}, in {time.monotonic() - began:.0f} s")
    return 0 if len(right) == len(results) else 1


def _show(result: Result, verbose: bool) -> None:
    one = result.one
    print(f"{result.verdict:8} {result.seconds:5.0f} s  {one.selected}", flush=True)
    if one.old:
        print(f"{'':18}{one.file}, {one.function or 'at its top'}: {one.what}", flush=True)
    if verbose or result.verdict not in ("caught", "MISSED", "passed"):
        print("\n".join(f"{'':18}| {line}" for line in result.output.splitlines()[-25:]), flush=True)


def run(breaks: list[Break], jobs: int) -> Iterator[Result]:
    """In the order given, `jobs` at a time; Ctrl-C ends the tests that run."""
    os.environ.pop("COINDOJO_PROMISES", None)  # with it a test that skips fails, and would pass for one that caught its break
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "HYPOTHESIS_PROFILE": "first failure"}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    running: set[int] = set()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from pool.map(lambda one: _try(one, context, running), breaks)
        except BaseException:
            for process in tuple(running):
                _end(process)
            raise


def _try(one: Break, context: multiprocessing.context.ForkServerContext, running: set[int]) -> Result:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coindojo-break-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "copy"
        try:
            shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
            if not (whole := not one.old):
                apply(one, copy)
        except (PatchError, OSError) as error:
            return Result(one, "OLD", time.monotonic() - began, str(error))
        # numba's cache does not see that a function of another file changed.
        if not whole and "njit" in (copy / one.file).read_text():
            for path in (path for pattern in COMPILED for path in copy.rglob(pattern)):
                path.unlink()
        process = context.Process(target=run_test, args=(one.selected, copy))
        process.start()
        assert process.pid
        running.add(process.pid)
        process.join(LONGEST)
        ended = RAN + 1 if process.exitcode is None else process.exitcode
        verdict = (WITHOUT if whole else VERDICTS).get(ended, "ERROR")
        _end(process.pid)
        running.remove(process.pid)
        process.join()
        said = copy / "output.txt"
        output = said.read_text(errors="replace") if said.exists() else ""
    return Result(one, verdict, time.monotonic() - began, output)


def _end(process: int) -> None:
    """A test that still runs, and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
