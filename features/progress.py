"""Who waits for features is told how far they are: scripts show it on stderr, a library call says nothing unless it is asked to.

with progress_to(lambda stage, done, total: print(stage, done, total)):
    fitted = FeaturePipeline().fit(train)
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PATIENCE_SECONDS = 2.0
"""nothing is shown of what takes no longer than this"""
LINE_SECONDS = 10.0
"""between the lines that stand for the bar where stderr is no terminal"""
REFRESH_SECONDS = 0.1
OnProgress = Callable[[str, int, int], None]
"""is told the stage, how many of its parts are done, and of how many; 0 of 0 where a stage has no parts"""


def quiet(stage: str, done: int, total: int) -> None:
    """Tells nobody."""


_BEGIN: ContextVar[Callable[[str], AbstractContextManager[OnProgress]]]
_BEGIN = ContextVar("begin", default=lambda work: nullcontext(quiet))


def begun(work: str) -> AbstractContextManager[OnProgress]:
    """Stands around a fit or a transform, and gives what it tells its stages to."""
    return _BEGIN.get()(work)


@contextmanager
def progress_to(on_progress: OnProgress) -> Iterator[None]:
    """Every fit and transform within tells `on_progress` of its stages, whoever calls it."""
    token = _BEGIN.set(lambda work: nullcontext(on_progress))
    try:
        yield
    finally:
        _BEGIN.reset(token)


@contextmanager
def progress_shown() -> Iterator[None]:
    """Every fit and transform within that takes longer than `PATIENCE_SECONDS` is shown on stderr: a bar, or lines in a file."""
    token = _BEGIN.set(_Display)
    try:
        yield
    finally:
        _BEGIN.reset(token)


class _Display(AbstractContextManager[OnProgress]):
    """Shows the newest stage from a thread of its own, since some stages take minutes without a word."""

    def __init__(self, work: str) -> None:
        self._work, self._console = work, Console(stderr=True, highlight=False, soft_wrap=True)
        self._stage, self._done, self._total = "", 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._bar if self._console.is_terminal else self._lines, daemon=True)

    def __enter__(self) -> OnProgress:
        self._thread.start()
        return self._tell

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self, stage: str, done: int, total: int) -> None:
        self._stage, self._done, self._total = stage, done, total

    @property
    def _in_words(self) -> str:
        parts = f" {self._done} of {self._total}" if self._total else ""
        return f"{self._work}: {self._stage}{parts}" if self._stage else self._work

    def _bar(self) -> None:
        if self._over.wait(PATIENCE_SECONDS):
            return
        columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self._console, transient=True, auto_refresh=False) as progress:
            task = progress.add_task(self._in_words, total=None)
            while not self._over.wait(REFRESH_SECONDS):
                progress.update(task, description=self._in_words, completed=self._done, total=self._total or None, refresh=True)

    def _lines(self) -> None:
        while not self._over.wait(LINE_SECONDS):
            self._console.print(self._in_words, markup=False)
