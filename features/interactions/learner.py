"""What the training loop knows of a model: something that learns from blocks of rows and whose state can be kept."""

from typing import NamedTuple, Protocol

import numpy as np

from features.fields.rows import FieldRows


class Shape(NamedTuple):
    """Sizes of the data that a model is made for."""

    n_features: int
    n_fields: int


class Learner(Protocol):
    """One model with its optimizer. The same seed, data and calls give the same bytes."""

    def start_from(self, margin: float) -> None:
        """Make this the margin of a row without entries, before anything is learned; nothing without a constant to hold it."""
        ...

    def learn(self, rows: FieldRows, order: np.ndarray) -> float:
        """Learn from one block, once from each row, in the order `order`, int64 (n,) of row numbers.

        Returns:
            The sum of the rows' losses, each taken before the row, or its batch, was learned from; without the penalty.
        """
        ...

    def margins(self, rows: FieldRows) -> np.ndarray:
        """float32 (n,): what the model gives before the sigmoid; with the squared loss the forecast itself.

        Each row's bits depend on that row alone, not on the others of the block.
        """
        ...

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of all that `margins` needs, by name."""
        ...

    def load_weights(self, weights: dict[str, np.ndarray]) -> None: ...

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that `learn` needs to go on to the same bytes: weights, optimizer, the state of random draws."""
        ...

    def load_state(self, state: dict[str, np.ndarray]) -> None: ...
