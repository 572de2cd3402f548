"""How far a training of interactions is, on stderr: bars in a terminal, lines where it is a file."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from features.forecasters import Epoch

LINE_SECONDS = 10.0
"""between the lines that tell of blocks, as those of `features.progress`; every epoch has a line of its own"""
Listeners = tuple[Callable[[Epoch], None], Callable[[int, int], None]]


@contextmanager
def shown_training(
    work: str, epochs: int, part: str | None = None, in_words: Callable[[Epoch], str] | None = None
) -> Iterator[Listeners]:
    """What a training calls after each epoch and after each block, while the block of code runs.

    Args:
        work: what is being done, such as the model's name.
        epochs: at most; 0 for work without epochs.
        part: what an epoch, or the work, goes through; None is a block of rows, or a draw.
        in_words: what a line says of an epoch; None says its losses.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield _lines(console, work, epochs, part, in_words or _losses)
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        passes = progress.add_task(f"{work}: epochs", total=epochs) if epochs else None
        blocks = progress.add_task(f"{work}: {part or 'rows'}" if epochs else work, total=None)

        def on_epoch(epoch: Epoch) -> None:
            if passes is not None:
                progress.update(passes, completed=epoch.number)

        yield on_epoch, lambda done, total: progress.update(blocks, completed=done, total=total)


def _lines(console: Console, work: str, epochs: int, part: str | None, in_words: Callable[[Epoch], str]) -> Listeners:
    told, number = time.monotonic(), 1

    def on_epoch(epoch: Epoch) -> None:
        nonlocal told, number
        told, number = time.monotonic(), epoch.number + 1
        console.print(f"{work}: epoch {epoch.number} of {epochs}: {in_words(epoch)}", markup=False)

    def on_part(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= LINE_SECONDS:
            told = time.monotonic()
            where = f"epoch {number} of {epochs}, {part or 'block'}" if epochs else part or "draw"
            console.print(f"{work}: {where} {done:,} of {total:,}", markup=False)

    return on_epoch, on_part


def _losses(epoch: Epoch) -> str:
    validation = "" if epoch.validation_loss != epoch.validation_loss else f", validation loss {epoch.validation_loss:.4f}"
    return f"loss {epoch.loss:.4f}{validation}"
