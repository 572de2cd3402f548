"""The run folder: one place for everything of a run, and no run ever written over another."""

import shlex
import sys
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from common.atomic_files import write_atomically
from common.errors import RunError
from common.plugins import copy_plugins
from common.run_seals import require_seal, write_and_seal

NOT_SEALED = "not sealed: this run was made before run folders were, so an edit of its settings by hand would not be seen"

DataHash = str | Mapping[str, str]
"""hash of the candles of one series, or of several coins by symbol"""


def new_run(root: Path, name: str) -> Path:
    """Make `root/name-001`, or the next number that is free.

    Raises:
        RunError: the folder cannot be made.
    """
    number = 1
    while True:
        folder = root / f"{name}-{number:03d}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            reason = f"{root} is a file" if root.is_file() else error.strerror
            raise RunError(
                f"a run needs a folder of its own, but {folder} cannot be made ({reason}); make {root} a writable folder, or run "
                "in another one"
            ) from None
        else:
            return folder


def describe_run(folder: Path, config: str, data_sha256: DataHash, plugins: Mapping[str, str] | None = None) -> None:
    """Write what every run folder begins with: `config.yaml` and `data.sha256`, both sealed, and the command in `command.txt`.

    `data.sha256` holds the hash of the candles; of several coins a line each, the hash and the symbol. The code of its
    plugins is kept in `plugins/`, for people to read.

    Args:
        config: all settings, as YAML.
        plugins: by name the hash of the code of those that are loaded for it.
    """
    copy_plugins(plugins or {}, folder / "plugins")
    write_and_seal(folder / "config.yaml", config)
    write_and_seal(folder / "data.sha256", _hash_lines(data_sha256))
    write_atomically(folder / "command.txt", shlex.join(["python", *sys.argv]) + "\n")


def require_sealed_run(folder: Path) -> bool:
    """Check that nobody has edited the settings, the hash of the data or the training record; False if they have no seals.

    Raises:
        RunError: one of them was edited, with the difference.
    """
    names = ("config.yaml", "data.sha256", "training.json")
    sealed = [require_seal(folder / name) for name in names if (folder / name).exists()]
    return all(sealed)


def require_data_of(folder: Path, data_sha256: DataHash) -> None:
    """Raise `RunError` if the candles with this hash are not those of the run's training; of several coins it names the first."""
    now, trained_on = _hash_lines(data_sha256).splitlines(), (folder / "data.sha256").read_text().strip().splitlines()
    for line, before in zip_longest(now, trained_on, fillvalue=""):
        if line != before:
            (sha256, _, coin), was = line.partition("  "), before.partition("  ")
            raise RunError(
                f"a run must use the data of its training, but the candles{f' of {coin}' if coin else ''} now have the hash "
                f"{sha256[:12]} and {folder} was trained on {was[0][:12]}{f' of {was[2]}' if was[2] != coin else ''}; "
                "restore the file, or train again"
            )


def _hash_lines(data_sha256: DataHash) -> str:
    if isinstance(data_sha256, str):
        return data_sha256 + "\n"
    return "".join(f"{sha256}  {symbol}\n" for symbol, sha256 in data_sha256.items())


def newest_run(root: Path) -> Path:
    """The run whose agent, or one of whose agents, was saved last.

    Raises:
        RunError: there is none.
    """
    agents = [path for pattern in ("", "seed-*/") for path in root.glob(f"*/{pattern}agent/agent.safetensors")]
    if not agents:
        raise RunError(f"a backtest needs a trained agent, but there is none in {root}/; run `python train.py` first")
    newest = max(agents, key=lambda path: (path.stat().st_mtime_ns, path))
    return root / newest.relative_to(root).parts[0]


def agent_folders(run: Path) -> list[Path]:
    """The run folders that hold the agents of a run: its own, or those of its seeds.

    Raises:
        RunError: one of them holds no trained agent.
    """
    places = seeds_of(run) or [run]
    for place in places:
        if not (place / "agent" / "agent.safetensors").exists():
            remedy = "run `python train.py` first" if place == run else f"run `python train.py --resume {run}` first"
            raise RunError(f"this needs a trained agent, but {place} holds none; {remedy}")
    return places


def seeds_of(run: Path) -> list[Path]:
    """The run folders of the single seeds of a run of several; empty for a run of one seed."""
    return sorted(run.glob("seed-*/"), key=lambda path: (len(path.name), path.name))
