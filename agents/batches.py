"""What `predict` takes: one observation or a batch, and an episode's start for each or for all."""

from typing import Any

import numpy as np

from common import InputError


def as_batch(observation: Any, episode_start: Any, size: int | None = None) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """One observation (D,) becomes a batch of one; one `episode_start` holds for all rows.

    Args:
        observation: float32 (D,) or (n, D).
        episode_start: a truth value, or (n,) of them; None for nowhere.
        size: what D must be; None takes any.

    Returns:
        float32 (n, D); bool (n,) or None; whether it was a single one.

    Raises:
        InputError: another shape.
    """
    rows = np.asarray(observation, np.float32)
    single = rows.ndim == 1
    rows = rows[None] if single else rows
    if rows.ndim != 2 or size not in (None, rows.shape[1]):
        shape = "D" if size is None else f"{size:,}"
        raise InputError(
            f"an observation has the shape ({shape},) and a batch (n, {shape}), features and account columns side by side, but "
            f"got {np.shape(observation)}; `agents.load(...).observe` puts them together"
        )
    if episode_start is None:
        return rows, None, single
    starts = np.asarray(episode_start, bool)
    if starts.shape not in ((), (1,), (len(rows),)):
        raise InputError(f"`episode_start` is one truth value or one for each of {len(rows)} rows, but has shape {starts.shape}")
    return rows, starts if starts.shape == (len(rows),) else np.full(len(rows), starts), single
