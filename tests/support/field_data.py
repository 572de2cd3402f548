"""Small rows of fields for tests."""

import numpy as np

from features.fields import FieldRows, RowsInMemory

NAMES = ("hour", "day", "trend", "mood")
FEATURES = 3
"""of each field: field f has the features 3 f, 3 f + 1 and 3 f + 2"""


def random_rows(count: int, seed: int = 0, several: bool = False, ones: bool = False) -> FieldRows:
    """Four fields and random labels. With `several`, a field has none to three entries, else one; with `ones`, values are 1."""
    draw = np.random.default_rng(seed)
    starts, features, fields = [0], [], []
    for _ in range(count):
        for field in range(len(NAMES)):
            for feature in draw.choice(FEATURES, draw.integers(0, FEATURES + 1) if several else 1, replace=False):
                features.append(field * FEATURES + int(feature))
                fields.append(field)
        starts.append(len(features))
    values = np.ones(len(features)) if ones else draw.uniform(0.2, 2.0, len(features)) * draw.choice([-1, 1], len(features))
    return FieldRows(
        draw.integers(0, 2, count).astype(np.float32), np.array(starts, np.int64), np.array(features, np.int32),
        np.array(fields, np.uint16), values.astype(np.float32),
    )  # fmt: skip


def in_memory(rows: FieldRows) -> RowsInMemory:
    """The same as data that a model is fitted on."""
    return RowsInMemory(rows, NAMES, len(NAMES) * FEATURES)


def planted(count: int, seed: int, edge: float = 0.8) -> FieldRows:
    """Label 1 with probability (1 + edge) / 2 where the first features of `hour` and `day` are both there or both not, else with
    (1 - edge) / 2. Neither field alone says anything."""
    draw = np.random.default_rng(seed)
    chosen = draw.integers(0, 2, (count, 2))
    others = draw.integers(0, FEATURES, (count, 2))
    alike = chosen[:, 0] == chosen[:, 1]
    labels = draw.random(count) < np.where(alike, 1 + edge, 1 - edge) / 2
    features = np.column_stack([chosen, others]) + np.arange(4) * FEATURES
    return FieldRows(
        labels.astype(np.float32), np.arange(0, 4 * count + 1, 4, dtype=np.int64), features.ravel().astype(np.int32),
        np.tile(np.arange(4, dtype=np.uint16), count), np.ones(4 * count, np.float32),
    )  # fmt: skip
