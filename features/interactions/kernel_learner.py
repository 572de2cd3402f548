"""lr, fm and ffm: what their compiled loops work on, and how it begins."""

import numpy as np

from common import InputError
from features.fields.rows import FieldRows
from features.interactions.ffm_loops import ffm_loops, room_for
from features.interactions.fm_loops import fm_loops
from features.interactions.kernels import SQUARED, Loops, Rates
from features.interactions.learner import Shape
from features.interactions.optimizers import FIRST_SUM, SLOTS
from features.interactions.settings import InteractionSettings


class KernelLearner:
    """A `Learner` that takes its rows one by one.

    Args:
        name: lr, fm or ffm.
        shape: D features in F fields.
        settings: of the model and its optimizer.

    Attributes:
        bias: float32 (1, S, 1), S being the slots of the optimizer: the weight, and what it remembers of it.
        linear: float32 (D, S, 1), a weight for each feature.
        embeddings: float32 (D, S, k), and for ffm (D, S, F k), each embedding filled up with zeros.
    """

    def __init__(self, name: str, shape: Shape, settings: InteractionSettings) -> None:
        k = 0 if name == "lr" else settings.k_of(name)
        self._n_blocks, self._k = shape.n_fields if name == "ffm" else 1, k
        self._room = room_for(k) if name == "ffm" else k
        width = self._n_blocks * self._room
        self._rates, self._shape, self._settings = _rates(settings, settings.rate_of(name)), shape, settings
        self._loops: Loops = fm_loops(k, settings.optimizer)
        if name == "ffm":
            self._loops = ffm_loops(k, shape.n_fields, settings.optimizer)
        slots, sizes = SLOTS[settings.optimizer], (shape.n_features, self._n_blocks * k)
        self.bias, self.linear = np.zeros((1, slots, 1), np.float32), np.zeros((shape.n_features, slots, 1), np.float32)
        self.embeddings = np.zeros((shape.n_features, slots, width), np.float32)
        if k:
            draw = np.random.default_rng(settings.seed)
            self._put_embeddings(draw.random(sizes, np.float32) * np.float32(settings.init_scale / np.sqrt(k)))
        if settings.optimizer == "adagrad":
            for table in self._tables.values():
                table[:, 1] = FIRST_SUM

    @staticmethod
    def bytes_of(name: str, shape: Shape, settings: InteractionSettings) -> int:
        """Memory of the tables, and of the first embeddings while they are drawn."""
        k = 0 if name == "lr" else settings.k_of(name)
        n_blocks, room = (shape.n_fields, room_for(k)) if name == "ffm" else (1, k)
        return 4 * shape.n_features * (SLOTS[settings.optimizer] * (1 + n_blocks * room) + n_blocks * k)

    def start_from(self, margin: float) -> None:
        """See `Learner.start_from`."""
        if self._settings.linear:
            self.bias[0, 0, 0] = margin

    def learn(self, rows: FieldRows, order: np.ndarray) -> float:
        """See `Learner.learn`."""
        return float(self._loops.learn(rows.labels, *self._entries(rows), order, *self._flat_tables, self._rates))

    def margins(self, rows: FieldRows) -> np.ndarray:
        """See `Learner.margins`."""
        return self._loops.forecast(*self._entries(rows), *self._flat_tables, self._rates)

    def weights(self) -> dict[str, np.ndarray]:
        """`bias` (1,), `linear` (D,), and of fm `embeddings` (D, k), of ffm (D, F k): for feature i and field g, k numbers."""
        embeddings = self._by_block[:, :, : self._k].reshape(self._shape.n_features, -1)
        held = {"bias": self.bias[:, 0, 0], "linear": self.linear[:, 0, 0], "embeddings": embeddings}
        return {name: array.copy() for name, array in held.items() if array.size}

    def load_weights(self, weights: dict[str, np.ndarray]) -> None:
        for name, array in self.weights().items():
            if name not in weights or weights[name].shape != array.shape:
                raise InputError(f"`{name}` must have the shape {array.shape}, but has {np.shape(weights.get(name, ()))}")
        self.bias[:, 0, 0], self.linear[:, 0, 0] = weights["bias"], weights["linear"]
        if self._k:
            self._put_embeddings(weights["embeddings"])

    def state(self) -> dict[str, np.ndarray]:
        """Whole tables, as they stand in the attributes."""
        return {name: table.copy() for name, table in self._tables.items() if table.size}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        for name, table in self._tables.items():
            if table.size:
                table[:] = state[name]

    @property
    def _by_block(self) -> np.ndarray:
        """(D, 1 or F, room): a view of the embeddings and the zeros that fill them up."""
        return self.embeddings[:, 0].reshape(self._shape.n_features, self._n_blocks, self._room, copy=False)

    def _put_embeddings(self, embeddings: np.ndarray) -> None:
        self._by_block[:, :, : self._k] = embeddings.reshape(self._shape.n_features, self._n_blocks, self._k)

    @property
    def _tables(self) -> dict[str, np.ndarray]:
        return {"bias": self.bias, "linear": self.linear, "embeddings": self.embeddings}

    @property
    def _flat_tables(self) -> list[np.ndarray]:
        return [table.reshape(-1, copy=False) for table in self._tables.values()]

    def _entries(self, rows: FieldRows) -> tuple[np.ndarray, ...]:
        """What the loops read, after a look that no number points outside of the tables: they check nothing."""
        if len(rows.features) and not (
            0 <= rows.features.min() <= rows.features.max() < self._shape.n_features and rows.fields.max() < self._shape.n_fields
        ):
            raise InputError(
                f"the model knows {self._shape.n_features:,} features in {self._shape.n_fields} fields, but the rows have "
                f"feature {rows.features.max():,} and field {rows.fields.max()}; read them with the schema of the training data"
            )
        return rows.starts, rows.features, rows.fields, rows.values


def _rates(settings: InteractionSettings, rate: float) -> Rates:
    return Rates(
        rate=np.float32(rate),
        l2=np.float32(settings.l2),
        alpha=np.float32(settings.ftrl_alpha),
        beta=np.float32(settings.ftrl_beta),
        ftrl_l1=np.float32(settings.ftrl_l1),
        ftrl_l2=np.float32(settings.ftrl_l2),
        nothing=np.float32(0.0),
        loss=SQUARED if settings.loss == "squared" else 0,
        normalize=settings.normalize_rows,
        linear=settings.linear,
    )
