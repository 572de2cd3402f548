"""The leak audit of a feature pipeline: what was fitted, each row against other futures, purity, alignment, origin."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from evaluation.audit.compare import Rows, as_rows, differences, estimated, other_estimates, unequal
from evaluation.audit.external import External, another_external
from evaluation.audit.foreign import in_one_line
from evaluation.audit.futures import KINDS, REMOVED, Cut, another_future, dense_cuts, whole_cuts
from evaluation.audit.pipelines import called, fit
from evaluation.audit.rare import extreme_values, frame_ends, random_market, rare_bars, unusual_values
from evaluation.audit.refits import SHAKEN, next_refit, shaken
from evaluation.audit.report import Tally
from market import Candles, bar_ends

RARE_CUTS, LEAST_RARE = 2, 14
"""bars of rare kinds that are cuts: for each of the `cuts`, and at least"""
BARS_AROUND = 12
"""bars of a stretch around such a cut, beside the warm-up"""
RANDOM_BARS = 800
"""of the random market, beside the warm-up"""
MOST_REFITS = 3
"""bars of them that are cuts: the first model may be another one than those that follow"""
MOST_REFUSED = 40
"""bars beyond the warm-up from which on a transform must not refuse a shorter series"""


@dataclass
class Scene:
    """What is audited, and what came of it on the true candles.

    Args:
        candles: train and what follows it.
        train_bars: bars that the pipeline is fitted on.
        pipeline: what fits; None if only `fitted` is audited.
        cuts, seed: as for `leak_audit`.
        fitted: what `pipeline` once gave; None fits it now.
        external: series beside the candles, by the time at which each value is known.
    """

    candles: Candles
    train_bars: int
    pipeline: Any
    cuts: int
    seed: int
    fitted: Any = None
    external: External | None = None
    estimated: dict[str, np.ndarray] = field(init=False)
    rows: Rows = field(init=False)
    _stretches: dict[tuple[int, int], Candles] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.fitted is None:
            self.fitted = self.fit(self.candles)
        self.estimated = estimated(self.fitted)
        self.rows = self.transform(self.fitted, self.candles)

    def fit(self, candles: Candles, external: External | None = None) -> Any:
        """The pipeline, fitted on other candles, with the true external series unless told otherwise."""
        return fit(self.pipeline, candles, self.train_bars, self.external if external is None else external)

    def transform(self, fitted: Any, candles: Candles, external: External | None = None) -> Rows:
        """The rows of these candles, with the true external series unless told otherwise."""
        return as_rows(called(fitted.transform, candles, self.external if external is None else external), candles)

    @property
    def index(self) -> pd.DatetimeIndex:
        return self.candles.index

    @property
    def after_train(self) -> list[Cut]:
        """Right behind the train range, with each kind of future."""
        return [Cut(0, len(self.candles), self.train_bars - 1, kind) for kind in KINDS]

    def future(self, cut: Cut) -> Candles:
        """The candles of the cut's stretch, with another future."""
        return another_future(self.stretch(cut), cut.bar - cut.start, cut.kind, self.seed)

    def external_after(self, time: pd.Timestamp, kind: str) -> External | None:
        """The external series with other values after the close of the bar that opens at that time."""
        if self.external is None:
            return None
        end = bar_ends(pd.DatetimeIndex([time]), self.candles.bar)[0]
        return another_external(self.external, end, kind, self.seed)

    def stretch(self, cut: Cut) -> Candles:
        """The true candles around the cut."""
        place = cut.start, cut.stop
        if place not in self._stretches:
            self._stretches[place] = self.candles[slice(*place)]
        return self._stretches[place]

    def in_words(self, cut: Cut) -> str:
        return _in_words(self.candles, cut)


def fitted_on_train_alone(scene: Scene, tally: Tally) -> None:
    """Refit with all bars after train replaced: the same values are estimated, and the true candles get the same rows.

    The first refit, on the true candles, tells whether what was fitted once is what the train range gives at all.
    """
    names = scene.rows.names
    true = scene.fit(scene.candles)
    for odd in other_estimates(scene.estimated, estimated(true), names):
        tally.found(odd.column, f"{odd} when it was fitted on the train range again")
    for cut in scene.after_train:
        fitted = scene.fit(scene.future(cut), scene.external_after(scene.index[cut.bar], cut.kind))
        for odd in other_estimates(estimated(true), estimated(fitted), names):
            tally.found(odd.column, f"fitted {odd} {scene.in_words(cut)}")
        for odd in differences(scene.rows, scene.transform(fitted, scene.candles), scene.rows.last):
            tally.found(odd.column, f"{odd} after a fit {scene.in_words(cut)}", scene.index, odd.bar)
    tally.cases += 1 + len(scene.after_train)


def aligned_rows(scene: Scene, tally: Tally) -> None:
    """There is one row for each candle after the warm-up, labelled with that candle's time."""
    rows, total = scene.rows, len(scene.candles)
    tally.cases += 1
    if rows.first + len(rows) != total or rows.first < 0:
        tally.found("rows", f"{len(rows)} rows after a warm-up of {rows.first} for {total} candles: one each is needed")
    elif rows.index is None:
        tally.notes.append("the rows have no times, and are taken for those of the last candles")
    else:
        odd = np.flatnonzero(unequal(_times(rows.index), _times(scene.index[rows.first :])))
        if odd.size:
            bar = rows.first + int(odd[0])
            tally.found("index", f"the row beside this candle is labelled {rows.index[odd[0]]}", scene.index, bar)


def pure_transform(scene: Scene, tally: Tally) -> None:
    """Transforming changes nothing that was fitted, and gives the same whatever was transformed before."""
    once = scene.transform(scene.fitted, scene.candles)
    _require_the_same_fit(scene, tally)
    scene.transform(scene.fitted, scene.future(scene.after_train[0]))
    scene.transform(scene.fitted, scene.candles[scene.train_bars // 2 :])
    again = scene.transform(scene.fitted, scene.candles)
    _require_the_same_fit(scene, tally)
    for odd in (*differences(scene.rows, once, once.last), *differences(once, again, once.last)):
        tally.found(odd.column, f"{odd} when the same candles were transformed again", scene.index, odd.bar)
    tally.cases += 4


def causal_features(scene: Scene, tally: Tally) -> None:
    """Replace or remove the future of a cut: no row up to it changes.

    The cuts are of the whole series, also where a column of it is fitted anew, of all bars of short stretches, of bars where a
    day, a week or another longer bar closes, and of bars where something rare happens, to the candles or to a column: the latter
    again on random candles, which visit what these candles may never have seen.
    """
    first = max(scene.rows.first, 0)
    refits = [Cut(0, len(scene.candles), bar, "another market") for bar in _refit_bars(scene)]
    for cut in (*whole_cuts(scene.candles, first, scene.train_bars, scene.cuts, scene.seed), *refits):
        _compare(scene, tally, cut, scene.rows, scene.candles)
    _cut_densely(scene, tally, dense_cuts(scene.candles, first, scene.cuts), scene.candles)
    _cut_densely(scene, tally, _rare_cuts(scene, scene.candles, scene.rows), scene.candles)
    _cut_densely(scene, tally, _frame_cuts(scene), scene.candles)
    strange = random_market(scene.candles, RANDOM_BARS + first, scene.seed)
    try:
        rows = scene.transform(scene.fitted, strange)
    except (ValueError, LookupError, ArithmeticError) as error:
        tally.notes.append(f"not judged on random candles, which it refuses: {error}")
        return
    _cut_densely(scene, tally, _rare_cuts(scene, strange, rows), strange)


def _refit_bars(scene: Scene) -> list[int]:
    """The first bars at which a column of the true candles is fitted anew: the labels of such a fit may reach beyond its bar."""
    bars: list[int] = []
    bar = scene.rows.first + 1
    while len(bars) < MOST_REFITS and bar + SHAKEN < scene.rows.last:
        try:
            other = scene.transform(scene.fitted, shaken(scene.candles, bar, scene.seed))
        except (ValueError, LookupError):
            break
        refit = next_refit(scene.rows, other, bar)
        if refit is None:
            break
        bars.append(refit)
        bar = refit + 1
    return bars


def _rare_cuts(scene: Scene, candles: Candles, rows: Rows) -> list[Cut]:
    """A cut at each rare bar, on a stretch around it; the extremes of columns last, where there are too many."""
    first, total = max(rows.first, 0), len(candles)
    bars = [*unusual_values(rows), *rare_bars(candles, first, scene.seed), *extreme_values(rows)] if len(rows) else []
    bars = [bar for bar in dict.fromkeys(bars) if first <= bar < total - 1]
    chosen = sorted(bars[: LEAST_RARE + RARE_CUTS * scene.cuts])
    room = first + BARS_AROUND
    return [
        Cut(max(bar - room, 0), min(bar + BARS_AROUND, total), bar, ("another market", REMOVED)[k % 2])
        for k, bar in enumerate(chosen)
    ]


def _frame_cuts(scene: Scene) -> list[Cut]:
    """Where a longer bar closes: a cut before the last bar of it, which must not be known there, and a cut at that bar."""
    first, total = max(scene.rows.first, 0), len(scene.candles)
    cuts: list[Cut] = []
    for k, end in enumerate(frame_ends(scene.candles, first, scene.seed)):
        start, stop = max(end - first - BARS_AROUND, 0), min(end + BARS_AROUND, total)
        cuts += [Cut(start, stop, bar, ("another market", REMOVED)[k % 2]) for bar in (end - 1, end) if bar >= start + first]
    return cuts


def _cut_densely(scene: Scene, tally: Tally, cuts: list[Cut], candles: Candles) -> None:
    """Compare on short stretches of these candles: neighbouring cuts share one."""
    rows: Rows | None = None
    place = (-1, -1)
    for cut in cuts:
        if (cut.start, cut.stop) != place:
            place, rows = (cut.start, cut.stop), _rows_or_none(scene, candles[cut.start : cut.stop])
        if rows is not None:
            _compare(scene, tally, cut, rows.moved(cut.start), candles)


def _rows_or_none(scene: Scene, candles: Candles) -> Rows | None:
    try:
        return scene.transform(scene.fitted, candles)
    except (ValueError, LookupError):  # too few bars
        return None


def _compare(scene: Scene, tally: Tally, cut: Cut, rows: Rows, candles: Candles) -> None:
    """The stretch with another future against `rows`, those of the true one."""
    future = another_future(candles[cut.start : cut.stop], cut.bar - cut.start, cut.kind, scene.seed)
    try:
        other = scene.transform(scene.fitted, future, scene.external_after(candles.index[cut.bar], cut.kind)).moved(cut.start)
    except (ValueError, LookupError) as error:  # few bars: a window is longer
        _refused(scene, tally, cut, error)
        return
    tally.cases += 1
    for odd in differences(rows, other, cut.bar):
        where = "" if candles is scene.candles else "on random candles, "
        tally.found(odd.column, f"{where}{odd} {_in_words(candles, cut)}", candles.index, odd.bar)


def _refused(scene: Scene, tally: Tally, cut: Cut, error: Exception) -> None:
    """Too short a series may be refused; anything else could hide a leak."""
    if cut.kind != REMOVED or cut.bar - cut.start > scene.rows.first + MOST_REFUSED:
        tally.found("transform", f"{in_one_line(error)}, {scene.in_words(cut)}", scene.index, cut.bar)
    elif not tally.notes:
        tally.notes.append(f"not judged where transform refuses so few bars: {error}")


def _require_the_same_fit(scene: Scene, tally: Tally) -> None:
    for odd in other_estimates(scene.estimated, estimated(scene.fitted), scene.rows.names):
        tally.found(odd.column, f"what was fitted, {odd} by a transform")


def _in_words(candles: Candles, cut: Cut) -> str:
    what = "removed" if cut.kind == REMOVED else f"replaced by {cut.kind}"
    return f"when the bars after {candles.index[cut.bar]:%Y-%m-%d %H:%M} (bar {cut.bar:,}) were {what}"


def _times(index: Any) -> np.ndarray:
    return np.asarray(pd.DatetimeIndex(index).as_unit("ns").asi8)
