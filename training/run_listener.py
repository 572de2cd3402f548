"""Shows a training on the terminal and keeps its run folder up to date, so that what is on disk is always the run so far."""

import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from agents import Checkpoint, LearnedAgent
from evaluation import Episode
from features import AnyFeatures
from training.training_log import TrainingLog
from training.training_loop import Trained, TrainingListener
from training.validation import Validation


class RunListener(TrainingListener):
    """A progress bar, a line for each validation, the log, and the best agent so far in `folder/agent`.

    Use it as a context manager around the training.

    Args:
        folder: the run folder.
        log: its log.
        steps: of the whole training, for the bar.
        console: where the lines go; the bar is drawn on a terminal only.
    """

    def __init__(self, folder: Path, log: TrainingLog, steps: int, console: Console) -> None:
        self._folder, self._log, self._steps, self._console = folder, log, steps, console
        self._first, self._start = 0, time.monotonic()
        columns = (
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} steps"),
            TextColumn("{task.fields[rate]:,.0f}/s"), TimeRemainingColumn(), TextColumn("{task.fields[last]}"),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("training", total=steps, rate=0.0, last="")

    def __enter__(self) -> "RunListener":
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def on_start(self, step: int, history: tuple[Validation, ...], checkpoint: Checkpoint | None) -> None:
        self._progress.start()  # not before: until now the features may have shown a bar of their own
        self._first, self._start = step, time.monotonic()
        self._log.restore(history)
        for line in checkpoint.skipped if checkpoint else ():
            self._console.print(f"passed over: {line}")
        if checkpoint:
            self._console.print(f"resumed at step {step:,} of {self._steps:,}")

    def on_step(self, step: int) -> None:
        rate = (step - self._first) / max(time.monotonic() - self._start, 1e-9)
        self._progress.update(self._task, completed=min(step, self._steps), rate=rate)

    def on_validation(
        self, validation: Validation, episodes: dict[str, Episode], agent: LearnedAgent, features: AnyFeatures
    ) -> None:
        if validation.best:
            features.save(self._folder / "agent")
            agent.save(self._folder / "agent")
        self._console.print(self._log.add(validation))
        self._progress.update(self._task, last=f"validation {validation.log_growth:+.3f}")

    def speed_in_words(self, trained: Trained) -> str:
        """How many steps were made here, in how long."""
        seconds, steps = time.monotonic() - self._start, trained.history[-1].step - self._first
        return f"{steps:,} steps in {seconds:.0f} s, {steps / seconds:,.0f} a second, validation included"
