"""What a training by epochs tells whoever looks on, and where it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data. Losses are means a row or a window, without the penalty.

    `score` is what the best epoch has least of: the validation loss, or what the training's settings put in its place.
    """

    number: int
    loss: float
    validation_loss: float
    best: bool
    seconds: float
    score: float | None = None

    @property
    def to_beat(self) -> float:
        """The score, which is the validation loss where none is given."""
        return self.validation_loss if self.score is None else self.score


@dataclass(frozen=True)
class Watch:
    """Who looks on, and where a training is kept.

    Args:
        on_epoch: called after each epoch, those of a checkpoint included; may raise to stop.
        checkpoint: file to go on from if it is there, and to write after each epoch; None keeps nothing.
        on_part: called within an epoch with the parts that are done, and how many there are; not by every training.
        cache: folder that keeps what is made of the data before a training, such as charts; None keeps nothing.
    """

    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    checkpoint: Path | None = None
    on_part: Callable[[int, int], None] = lambda done, total: None
    cache: Path | None = None
