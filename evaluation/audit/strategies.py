"""The leak audit of strategies, which get all candles at once and must use each only when its bar has closed."""

from collections.abc import Callable, Mapping

import numpy as np

from agents import Agent, SignalStrategy
from envs import BUY, HOLD, SELL
from evaluation.audit.foreign import on_true_candles, part
from evaluation.audit.futures import Cut, dense_cuts, whole_cuts
from evaluation.audit.report import Tally
from evaluation.audit.rows import Scene
from market import Candles

Strategies = Mapping[str, Callable[[Candles], Agent]]
"""by name, what makes a strategy of the candles that it plays on"""
SIDES = {BUY: "buy", SELL: "sell", HOLD: "hold"}


def causal_strategies(scene: Scene, strategies: Strategies, tally: Tally) -> None:
    """Made of candles with another future, a strategy has the same sides up to the cut: entry k knows bar k and no later one.

    Cuts are made over the whole series, and at each bar of a stretch around the largest move.
    """
    for name, make in strategies.items():
        with on_true_candles(), part(f"the strategy {name!r}"):
            whole = make(scene.candles)
        if not isinstance(whole, SignalStrategy):
            tally.notes.append(f"{name} decides bar by bar from what it sees; hand it over as `agent`")
            continue
        whole_series = whole_cuts(scene.candles, 0, scene.train_bars, scene.cuts, scene.seed)
        for cut in (*whole_series, *dense_cuts(scene.candles, 0, scene.cuts)):
            true, other = (_sides(make, name, candles) for candles in (scene.stretch(cut), scene.future(cut)))
            _compare(scene, cut, name, true, other, tally)


def _compare(scene: Scene, cut: Cut, name: str, true: np.ndarray, other: np.ndarray, tally: Tally) -> None:
    known = min(cut.bar - cut.start + 1, len(true), len(other))
    tally.cases += 1
    for k in np.flatnonzero(true[:known] != other[:known])[:1]:
        detail = f"{SIDES.get(int(true[k]))} became {SIDES.get(int(other[k]))} {scene.in_words(cut)}"
        tally.found(name, detail, scene.index, cut.start + int(k))


def _sides(make: Callable[[Candles], Agent], name: str, candles: Candles) -> np.ndarray:
    with part(f"the strategy {name!r}"):
        strategy = make(candles)
    assert isinstance(strategy, SignalStrategy)
    return strategy.sides
