"""The leak audit of walk-forward columns: within train, a forecast comes from models that had not seen what follows it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from common import InputError
from evaluation.audit.compare import Difference, Rows, differences
from evaluation.audit.futures import Cut
from evaluation.audit.refits import SHAKEN, shaken
from evaluation.audit.report import Tally
from evaluation.audit.rows import Scene
from market import Candles


def has_folds(scene: Scene) -> bool:
    """Whether what was fitted offers `out_of_fold` columns, and can be fitted anew."""
    offers = getattr(scene.fitted, "out_of_fold", None)
    return scene.pipeline is not None and offers is not None and len(offers(scene.candles[: scene.train_bars]).columns) > 0


def out_of_fold(scene: Scene, tally: Tally) -> None:
    """Refit on a train range whose last bars are others: the forecasts of the bars before them are the same.

    The cuts are the first bar with a forecast, whose model must not have seen the bars that it was asked for, and the first bar
    of a later model, whose labels may reach beyond it.
    """
    train = scene.candles[: scene.train_bars]
    true = _rows(scene.fitted, train)
    for bar in (true.first, _later_fold(scene, train, true)):
        cut = Cut(0, len(scene.candles), bar, "another market")
        other = scene.future(cut)
        fitted = scene.fit(other, scene.external_after(scene.index[bar], cut.kind))
        for odd in differences(true, _rows(fitted, other[: scene.train_bars]), bar):
            tally.found(odd.column, f"{odd} after a fit {scene.in_words(cut)}", scene.index, odd.bar)
        tally.cases += 1


def _later_fold(scene: Scene, train: Candles, true: Rows) -> int:
    """The first bar of the next model, half of the way to the end: it differs if the bars there are shaken before the fit."""
    middle = true.first + len(true) // 2
    other = _rows(scene.fit(shaken(scene.candles, middle, scene.seed)), train)
    late = [odd.bar for odd in _from(true, other, middle + SHAKEN) if odd.bar is not None]
    return min(late, default=middle)


def _from(true: Rows, other: Rows, bar: int) -> Iterator[Difference]:
    """The differences from that bar on."""
    parts = [replace(rows, values=rows.values[max(bar - rows.first, 0) :], first=max(bar, rows.first)) for rows in (true, other)]
    return differences(parts[0], parts[1], true.last)


def _rows(fitted: object, train: Candles) -> Rows:
    table = fitted.out_of_fold(train)  # type: ignore[attr-defined]
    if not isinstance(table, pd.DataFrame) or len(table) > len(train):
        raise InputError("`out_of_fold` must give a DataFrame whose rows are the candles' last ones; see docs/leak-audit.md")
    return Rows(table.to_numpy(), tuple(map(str, table.columns)), None, len(train) - len(table), np.inf)
