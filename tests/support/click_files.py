"""Small click-through files, in which the click depends on a pair of fields and on nothing else."""

from pathlib import Path

import numpy as np


def write_clicks(path: Path, rows: int, seed: int, first_feature: int = 0, noise: float = 0.1) -> Path:
    """A libffm file of three fields: whether user and item are both even or both odd decides the click, the hour does not.

    Args:
        path: to write.
        rows: how many.
        seed: of the rows.
        first_feature: number of the first feature.
        noise: share of labels that are turned round.
    """
    rng = np.random.default_rng(seed)
    user, item, hour = rng.integers(0, 6, rows), rng.integers(0, 6, rows), rng.integers(0, 3, rows)
    clicks = ((user + item) % 2 == 0) ^ (rng.random(rows) < noise)
    parts = zip(clicks.astype(int), user + first_feature, item + first_feature + 10, hour + first_feature + 20, strict=True)
    path.write_text("".join(f"{click} 0:{u}:1 1:{i}:1 2:{h}:1\n" for click, u, i, h in parts))
    return path
