"""What a training has done so far, as files of its run folder: `training.json` for programs, `train.log` for people."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common import RunError, describe_run, one_line, write_atomically, write_json
from training.validation import Validation


class TrainingLog:
    """The validations of one run; both files are replaced whole after each.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, origin: dict[str, Any], config: str, data_sha256: str) -> None:
        """A run that has taken no step yet; `origin` says where its settings come from, `config` what they are."""
        describe_run(self.folder, config, data_sha256)
        self._write({"origin": origin, "finished": False, "validation": []})

    def restore(self, history: tuple[Validation, ...]) -> None:
        """Forget what came after the checkpoint: it will come again."""
        self._write(self._read() | {"validation": [asdict(validation) for validation in history]})

    def add(self, validation: Validation) -> str:
        """One more validation; returns it in words."""
        content = self._read()
        self._write(content | {"validation": [*content["validation"], asdict(validation)]})
        return _line(asdict(validation))

    def finish(self, stopped_early: bool) -> None:
        """The agent in the run folder is the run's last word."""
        self._write(self._read() | {"finished": True, "stopped_early": stopped_early})

    @property
    def finished(self) -> bool:
        return bool(self._read()["finished"])

    @property
    def in_words(self) -> str:
        """The best validation so far, or that there is none."""
        looks = self._read()["validation"]
        if not looks:
            return "no look at validation yet"
        best = next(look for look in reversed(looks) if look["best"])
        return f"best on validation {_figure(best)}, at step {best['step']:,} of {looks[-1]['step']:,}"

    def _read(self) -> dict[str, Any]:
        path = self.folder / "training.json"
        try:
            content = json.loads(path.read_text())
            return {"origin": content["origin"], "finished": content["finished"], "validation": content["validation"]}
        except FileNotFoundError:
            raise RunError(f"a run folder holds a training.json, but {self.folder} does not; name one of runs/") from None
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RunError(f"cannot read {path}: {one_line(error)}; begin a new run") from None

    def _write(self, content: dict[str, Any]) -> None:
        write_json(self.folder / "training.json", content)
        write_atomically(self.folder / "train.log", "".join(_line(look) + "\n" for look in content["validation"]))


def _line(look: dict[str, Any]) -> str:
    best = "  best, saved" if look["best"] else ""
    return f"step {look['step']:>9,}  log growth on validation {_figure(look)}{best}"


def _figure(look: dict[str, Any]) -> str:
    return f"{look['log_growth']:+.3f} ± {look['standard_error']:.3f}"
