"""The leak audit of where columns come from: of the candles and the clock, not of a file that was made elsewhere."""

from dataclasses import replace

import numpy as np
import pandas as pd

from evaluation.audit.compare import Rows, differences
from evaluation.audit.external import stamped_early
from evaluation.audit.foreign import in_one_line
from evaluation.audit.futures import LEVELS, years_later
from evaluation.audit.pipelines import Table
from evaluation.audit.report import Tally
from evaluation.audit.rows import Scene

NO_CANDLE = "they come from elsewhere, or from the clock alone"
FROM_ELSEWHERE = (
    "{names} knows the year, though candles move it as well: what it may hold of a file can't be judged; hand the file over as "
    "`external`"
)


def candles_alone(scene: Scene, tally: Tally) -> None:
    """A column that no candle moves may know the clock, so it is the same 28 years later; one that looks its values up is not.

    28 years have the same weekdays, dates and leap years (between 1901 and 2099). Nor may it count the rows. Of a frame that no
    candle moves at all nothing can be said.
    """
    moved: set[str] = set()
    for cut in scene.after_train[: len(LEVELS)]:
        other = scene.transform(scene.fitted, scene.future(cut), scene.external_after(scene.index[cut.bar], cut.kind))
        moved |= {odd.column for odd in differences(scene.rows, other, scene.rows.last)}
    tally.cases += len(LEVELS) + 1
    still = [name for name in scene.rows.names if name not in moved]
    if not moved:
        what = (
            "the frame was made elsewhere; hand over the function that makes it" if isinstance(scene.fitted, Table) else NO_CANDLE
        )
        tally.found("all columns", f"no candle moves any of them, so what they knew can't be judged: {what}")
        return
    if still:
        tally.notes.append(f"no candle moves {', '.join(still)}")
        _require_no_counting(scene, tally, still)
    try:
        later = scene.transform(scene.fitted, years_later(scene.candles))
    except (ValueError, LookupError) as error:
        tally.found("transform", f"{in_one_line(error)}, on the same candles 28 years later")
        return
    mixed: list[str] = []
    for odd in differences(scene.rows, later, scene.rows.last):
        if odd.column in still:
            detail = f"no candle moves it, yet {odd} on the same candles 28 years later: it comes from elsewhere"
            tally.found(odd.column, detail, scene.index, odd.bar)
        elif scene.external is None:
            mixed.append(odd.column)
    _judge_mixed(scene, tally, mixed, later)


def _require_no_counting(scene: Scene, tally: Tally, still: list[str]) -> None:
    """The clock is the same if the candles begin later; a value that was looked up by the number of its row is not."""
    skip = scene.train_bars // 3 + 5
    later = scene.transform(scene.fitted, scene.candles[skip:]).moved(skip)
    if later.names != scene.rows.names or later.last != scene.rows.last or later.first < scene.rows.first:
        return
    true = replace(scene.rows, values=scene.rows.values[later.first - scene.rows.first :], first=later.first)
    for odd in differences(true, later, true.last):
        if odd.column in still:
            detail = (
                f"no candle moves it, yet {odd} if the candles begin {skip} bars later: it is looked up by the number of the row"
            )
            tally.found(odd.column, detail, scene.index, odd.bar)


def _judge_mixed(scene: Scene, tally: Tally, names: list[str], later: Rows) -> None:
    """What a column loses 28 years later is what it has from elsewhere: it is held against what the market does next."""
    closing = scene.candles.ends[max(scene.rows.first, 0) : scene.rows.last + 1]
    unknown = []
    for name in names:
        before, after = (_numbers(rows, name) for rows in (scene.rows, later))
        comparable = len(before) == len(after) == len(closing)
        if not comparable or not stamped_early(name, pd.Series(before - after, closing), scene.candles, tally):
            unknown.append(name)
    if unknown:
        tally.unjudged = FROM_ELSEWHERE.format(names=", ".join(unknown))


def _numbers(rows: Rows, name: str) -> np.ndarray:
    """float64 (R,): a column, NaN where it holds no number; empty where there is none of that name."""
    if name not in rows.names:
        return np.empty(0)
    return pd.to_numeric(pd.Series(rows.values[:, rows.names.index(name)]), errors="coerce").to_numpy(np.float64)
