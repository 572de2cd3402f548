"""The leak audit of a feature pipeline: what was fitted, each row against other futures, purity, alignment, origin."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from evaluation.audit.compare import Rows, differences, estimated, fit, other_estimates, transform, unequal
from evaluation.audit.futures import KINDS, LEVELS, REMOVED, Cut, another_future, dense_cuts, whole_cuts, years_later
from evaluation.audit.report import Tally
from market import Candles

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
    """

    candles: Candles
    train_bars: int
    pipeline: Any
    cuts: int
    seed: int
    fitted: Any = None
    estimated: dict[str, np.ndarray] = field(init=False)
    rows: Rows = field(init=False)
    _stretches: dict[tuple[int, int], Candles] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.fitted is None:
            self.fitted = fit(self.pipeline, self.candles, self.train_bars)
        self.estimated = estimated(self.fitted)
        self.rows = transform(self.fitted, self.candles)

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

    def stretch(self, cut: Cut) -> Candles:
        """The true candles around the cut."""
        place = cut.start, cut.stop
        if place not in self._stretches:
            self._stretches[place] = self.candles[slice(*place)]
        return self._stretches[place]

    def in_words(self, cut: Cut) -> str:
        what = "removed" if cut.kind == REMOVED else f"replaced by {cut.kind}"
        return f"when the bars after {self.index[cut.bar]:%Y-%m-%d %H:%M} (bar {cut.bar:,}) were {what}"


def fitted_on_train_alone(scene: Scene, tally: Tally) -> None:
    """Refit with all bars after train replaced: the same values are estimated, and the true candles get the same rows.

    The first refit, on the true candles, tells whether what was fitted once is what the train range gives at all.
    """
    names = scene.rows.names
    true = fit(scene.pipeline, scene.candles, scene.train_bars)
    for odd in other_estimates(scene.estimated, estimated(true), names):
        tally.found(odd.column, f"{odd} when it was fitted on the train range again")
    for cut in scene.after_train:
        fitted = fit(scene.pipeline, scene.future(cut), scene.train_bars)
        for odd in other_estimates(estimated(true), estimated(fitted), names):
            tally.found(odd.column, f"fitted {odd} {scene.in_words(cut)}")
        for odd in differences(scene.rows, transform(fitted, scene.candles), scene.rows.last):
            tally.found(odd.column, f"{odd} after a fit {scene.in_words(cut)}", scene.index, odd.bar)
    tally.cases += 1 + len(scene.after_train)


def aligned_rows(scene: Scene, tally: Tally) -> None:
    """There is one row for each candle after the warm-up, labelled with that candle's time."""
    rows, total = scene.rows, len(scene.candles)
    tally.cases += 1
    if rows.first + len(rows) != total or rows.first < 0:
        tally.found("rows", f"{len(rows)} rows after a warm-up of {rows.first} for {total} candles: one each is needed")
    elif rows.index is not None:
        odd = np.flatnonzero(unequal(_times(rows.index), _times(scene.index[rows.first :])))
        if odd.size:
            bar = rows.first + int(odd[0])
            tally.found("index", f"the row beside this candle is labelled {rows.index[odd[0]]}", scene.index, bar)


def pure_transform(scene: Scene, tally: Tally) -> None:
    """Transforming changes nothing that was fitted, and gives the same whatever was transformed before."""
    once = transform(scene.fitted, scene.candles)
    _require_the_same_fit(scene, tally)
    transform(scene.fitted, scene.future(scene.after_train[0]))
    transform(scene.fitted, scene.candles[scene.train_bars // 2 :])
    again = transform(scene.fitted, scene.candles)
    _require_the_same_fit(scene, tally)
    for odd in (*differences(scene.rows, once, once.last), *differences(once, again, once.last)):
        tally.found(odd.column, f"{odd} when the same candles were transformed again", scene.index, odd.bar)
    tally.cases += 4


def causal_features(scene: Scene, tally: Tally) -> None:
    """Replace or remove the future of a cut: no row up to it changes."""
    first = max(scene.rows.first, 0)
    for cut in whole_cuts(scene.candles, first, scene.train_bars, scene.cuts, scene.seed):
        _compare(scene, tally, cut, scene.rows)
    rows, place = scene.rows, (0, len(scene.candles))
    for cut in dense_cuts(scene.candles, first, scene.cuts):
        if (cut.start, cut.stop) != place:
            rows, place = transform(scene.fitted, scene.stretch(cut)).moved(cut.start), (cut.start, cut.stop)
        _compare(scene, tally, cut, rows)


def candles_alone(scene: Scene, tally: Tally) -> None:
    """A column that no candle moves may know the clock, so it is the same 28 years later; one that looks its values up is not.

    28 years have the same weekdays, dates and leap years (between 1901 and 2099).
    """
    moved: set[str] = set()
    for cut in scene.after_train[: len(LEVELS)]:
        other = transform(scene.fitted, scene.future(cut))
        moved |= {odd.column for odd in differences(scene.rows, other, scene.rows.last)}
    tally.cases += len(LEVELS) + 1
    still = [name for name in scene.rows.names if name not in moved]
    if still:
        tally.notes.append(f"no candle moves {', '.join(still)}")
    try:
        later = transform(scene.fitted, years_later(scene.candles))
    except (ValueError, LookupError) as error:
        tally.found("transform", f"raised {type(error).__name__} ({error}) on the same candles 28 years later")
        return
    for odd in differences(scene.rows, later, scene.rows.last):
        if odd.column in still:
            detail = f"no candle moves it, yet {odd} on the same candles 28 years later: it comes from elsewhere"
            tally.found(odd.column, detail, scene.index, odd.bar)
        else:
            tally.notes.append(f"{odd.column} knows the year: {odd} on the same candles 28 years later")


def _compare(scene: Scene, tally: Tally, cut: Cut, rows: Rows) -> None:
    """The stretch with another future against `rows`, those of the true one."""
    try:
        other = transform(scene.fitted, scene.future(cut)).moved(cut.start)
    except (ValueError, LookupError) as error:  # few bars: a window is longer
        _refused(scene, tally, cut, error)
        return
    tally.cases += 1
    for odd in differences(rows, other, cut.bar):
        tally.found(odd.column, f"{odd} {scene.in_words(cut)}", scene.index, odd.bar)


def _refused(scene: Scene, tally: Tally, cut: Cut, error: Exception) -> None:
    """Too short a series may be refused; anything else could hide a leak."""
    if cut.kind != REMOVED or cut.bar - cut.start > scene.rows.first + MOST_REFUSED:
        tally.found("transform", f"raised {type(error).__name__} ({error}) {scene.in_words(cut)}", scene.index, cut.bar)
    elif not tally.notes:
        tally.notes.append(f"not judged where transform refuses so few bars: {error}")


def _require_the_same_fit(scene: Scene, tally: Tally) -> None:
    for odd in other_estimates(scene.estimated, estimated(scene.fitted), scene.rows.names):
        tally.found(odd.column, f"what was fitted, {odd} by a transform")


def _times(index: Any) -> np.ndarray:
    return np.asarray(pd.DatetimeIndex(index).as_unit("ns").asi8)
