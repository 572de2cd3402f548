"""What a forked process does: run one test in a copy of the repository. A module of its own, so that it loads by its name."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RAN = 100
"""added to pytest's exit code, so that a process which dies before or beside pytest is not taken for a test that failed"""


def run_test(selected: str, copy: Path) -> None:
    """Run pytest on one test, with the copy's code, and end with `RAN` and its exit code; output goes to `copy/output.txt`."""
    os.setsid()
    output = os.open(copy / "output.txt", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(copy)
    os.environ.setdefault("COINDOJO_DATA", str(ROOT.parent / "shared" / "data"))
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        del sys.modules[name]
    sys.path[:] = [str(copy), *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]

    import pytest

    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={copy}", selected]
    os._exit(RAN + int(pytest.main(arguments)))
