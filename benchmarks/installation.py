"""What an installation takes: megabytes of site-packages, seconds to install, and seconds of `import envs`.

    python -m benchmarks.installation       some minutes; --keep keeps the figures that the pages quote

Each in a fresh virtual environment, from where pip takes its packages: the seconds are those of your connection, the megabytes
those of the build of torch that it finds there.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks import figures

KINDS = {"core": ".", "lab": ".[lab]"}
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", ".hypothesis", ".*_cache", "__pycache__", "runs", "cache", "build", "*.egg-info", "*.db"
)
IMPORTS = 5
"""of which the quickest counts: the first writes Python's bytecode"""


def main() -> None:
    """Install each kind, and print what it took."""
    parser = figures.option(argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0]))
    options = parser.parse_args()
    found: dict[str, float] = {}
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("installation", "MB", "seconds", "import envs, s"):
        table.add_column(heading, justify="left" if heading == "installation" else "right")
    with tempfile.TemporaryDirectory(prefix="coindojo-installation-") as folder:
        source = Path(folder) / "source"
        shutil.copytree(figures.ROOT, source, ignore=LEFT_OUT)
        for kind, requirement in KINDS.items():
            megabytes, seconds, imported = measure(Path(folder) / kind, source, requirement)
            found |= {f"{kind}_mb": megabytes, f"{kind}_seconds": seconds, f"{kind}_import_seconds": imported}
            table.add_row(escape(f"pip install {requirement}"), f"{megabytes:,.0f}", f"{seconds:.0f}", f"{imported:.2f}")
    Console(highlight=False).print(table)
    if options.keep:
        figures.keep("installation", found)


def measure(place: Path, source: Path, requirement: str) -> tuple[float, float, float]:
    """MB of site-packages, seconds of the installation, and seconds of a process that imports the environment."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    python = str(place / "bin" / "python")
    begin = time.perf_counter()
    subprocess.run([python, "-m", "pip", "install", "-q", "-c", "constraints.txt", requirement], cwd=source, check=True)
    seconds = time.perf_counter() - begin
    packages = next(place.glob("lib/python*/site-packages"))
    megabytes = sum(path.stat().st_blocks * 512 for path in packages.rglob("*") if path.is_file()) / 2**20
    return megabytes, seconds, min(seconds_of([python, "-c", "import envs"], place) for _ in range(IMPORTS))


def seconds_of(command: list[str], place: Path) -> float:
    """What a process takes, from its start to its end."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=place, check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
