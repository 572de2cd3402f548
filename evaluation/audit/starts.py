"""The leak audit of a series' beginning: how much a column depends on where the candles start, and the stated look-back."""

import numpy as np
import pandas as pd

from evaluation.audit.report import Tally
from evaluation.audit.rows import Scene
from evaluation.audit.tolerances import LIVE_TOLERANCE

AT_ONCE, A_DAY, A_WEEK, LONG = "at the first row", "24 bars on", "168 bars on", "1000 bars on"
LATER = {AT_ONCE: 0, A_DAY: 24, A_WEEK: 168, LONG: 1000}
"""bars after the first row that both series have"""
LIVE_ROWS = 24


def drift_of_starts(scene: Scene, tolerance: float, tally: Tally) -> pd.DataFrame:
    """Transform with later first candles: how far each column is then from what it was, in scaled units.

    Returns:
        float64, the largest difference over all starts, a row a column: from the first row on, and from some bars later on; NaN
        where no series is that long.
    """
    largest = np.full((len(scene.rows.names), len(LATER)), np.nan)
    for start in _later_starts(scene):
        apart = _apart(scene, start)
        for k, skip in enumerate(LATER.values()):
            if len(apart) > skip:
                largest[:, k] = np.fmax(largest[:, k], np.nanmax(apart[skip:], axis=0, initial=0.0))
        tally.cases += 1
    drift = pd.DataFrame(largest, index=list(scene.rows.names), columns=list(LATER))
    drift = drift.sort_values(AT_ONCE, ascending=False, kind="stable")
    for name, row in drift[drift[AT_ONCE] > tolerance].iterrows():
        detail = f"{name} is {row[AT_ONCE]:.3g} scaled units away if the candles begin later (more than {tolerance:g})"
        tally.notes.append(f"{detail}, {row[A_WEEK]:.3g} after 168 bars")
    return drift


def lookback_enough(scene: Scene, tally: Tally) -> None:
    """The last `lookback` bars alone give the newest row, as live trading computes it; judged where `fitted` states one."""
    bars = int(scene.fitted.lookback)
    ends = np.linspace(min(bars, len(scene.candles)), len(scene.candles), LIVE_ROWS).astype(int)
    for end in ends.tolist():
        live = scene.transform(scene.fitted, scene.candles[max(end - bars, 0) : end])
        apart = np.abs(live.values[-1].astype(np.float64) - scene.rows.values[end - 1 - scene.rows.first])
        tally.cases += 1
        for column in np.flatnonzero(~(apart <= LIVE_TOLERANCE)):
            detail = f"{apart[column]:.3g} scaled units away if computed from the last {bars:,} bars alone, the look-back"
            tally.found(scene.rows.names[column], detail, scene.index, end - 1)


def _apart(scene: Scene, start: int) -> np.ndarray:
    """float64 (R, F): absolute differences where both have rows; none where they can't be laid side by side."""
    rows, later = scene.rows, scene.transform(scene.fitted, scene.candles[start:]).moved(start)
    if later.names != rows.names or later.last != rows.last or later.first < rows.first:
        return np.empty((0, len(rows.names)))  # misaligned, which another check tells
    return np.abs(later.values.astype(np.float64) - rows.values[later.first - rows.first :])


def _later_starts(scene: Scene) -> list[int]:
    room = len(scene.candles) - scene.rows.first - 1
    wanted = [1, 13, 24, 100, 169, scene.train_bars // 3, scene.train_bars // 2, scene.train_bars]
    return sorted({start for start in wanted if 0 < start < room})
