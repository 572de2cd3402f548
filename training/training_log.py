"""What a training has done so far, as files of its run folder: `training.json` for programs, `train.log` for people."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import DataHash, RunError, describe_run, one_line, require_seal, write_atomically, write_json_and_seal
from training.validation import Validation


class TrainingLog:
    """The validations of one run; both files are replaced whole after each, and `training.json` is sealed.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(
        self, origin: Mapping[str, object], config: str, data_sha256: DataHash, plugins: Mapping[str, str] | None = None
    ) -> None:
        """A run that has taken no step yet.

        Args:
            origin: where its settings come from.
            config, data_sha256, plugins: see `describe_run`.
        """
        describe_run(self.folder, config, data_sha256, plugins)
        self._write({"origin": origin, "finished": False, "validation": []})

    def restore(self, history: tuple[Validation, ...]) -> None:
        """Forget what came after the checkpoint: it will come again."""
        self._write(self._read() | {"validation": [validation.as_json() for validation in history]})

    def add(self, validation: Validation) -> str:
        """One more validation; returns it in words."""
        content = self._read()
        self._write(content | {"validation": [*content["validation"], validation.as_json()]})
        return _line(validation)

    def finish(self, stopped_early: bool) -> None:
        """The agent in the run folder is the run's last word."""
        self._write(self._read() | {"finished": True, "stopped_early": stopped_early})

    @property
    def finished(self) -> bool:
        return bool(self._read()["finished"])

    @property
    def in_words(self) -> str:
        """The best validation so far, or that there is none."""
        validations = _validations(self._read())
        if not validations:
            return "no validation yet"
        best = next(validation for validation in reversed(validations) if validation.best)
        return f"best on validation {_figure(best)}, at step {best.step:,} of {validations[-1].step:,}"

    def _read(self) -> dict[str, Any]:
        path = self.folder / "training.json"
        try:
            content = json.loads(path.read_text())
            require_seal(path)
            _validations(content)
            return {"origin": content["origin"], "finished": content["finished"], "validation": content["validation"]}
        except FileNotFoundError:
            raise RunError(f"a run folder holds a training.json, but {self.folder} does not; name one of runs/") from None
        except RunError:
            raise
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise RunError(f"cannot read {path}: {one_line(error)}; begin a new run") from None

    def _write(self, content: Mapping[str, Any]) -> None:
        write_json_and_seal(self.folder / "training.json", content)
        lines = [_line(validation) + "\n" for validation in _validations(content)]
        write_atomically(self.folder / "train.log", "".join(lines))


def _validations(content: Mapping[str, Any]) -> list[Validation]:
    return [Validation(**figures) for figures in content["validation"]]


def _line(validation: Validation) -> str:
    best = "  best, saved" if validation.best else ""
    coins = ", ".join(f"{symbol} {growth:+.3f}" for symbol, growth in validation.coins.items())
    return f"step {validation.step:>9,}  log growth on validation {_figure(validation)}{f'  ({coins})' if coins else ''}{best}"


def _figure(validation: Validation) -> str:
    return f"{validation.log_growth:+.3f} ± {validation.standard_error:.3f}"
