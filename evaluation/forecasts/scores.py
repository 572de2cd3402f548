"""How good forecasters are on a range that they were not trained on, against the last value, and how sure that is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from common import InputError, RunError, one_line, own_names
from evaluation.forecasts.rise_scores import RiseComparison, compare_rises, read_rises
from evaluation.statistics.bootstrap import resampled_means
from features.forecasters import RISES, FittedForecaster, ForecastSettings, scaled_loss, windows_of
from market import Part, Split

LAST_VALUE = "last value"
ACTIVATIONS = {"relu": "relu", "leaky": "leaky_relu"}
COMPARED: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"cnn {layers} {shown}": ("cnn", {"conv_layers": layers, "activation": activation})
        for layers in (2, 3, 4)
        for shown, activation in ACTIVATIONS.items()
    },
    **{
        f"{name} {shown}": (name, {"activation": activation})
        for name in ("lstm", "gru")
        for shown, activation in ACTIVATIONS.items()
    },
    LAST_VALUE: ("last_value", {}),
    "lag": ("lag", {}),
    "linear": ("linear", {}),
    "sarimax": ("sarimax", {}),
    **{name: (name, {}) for name in RISES},
}
"""by the name to show: the forecaster, and what of its settings differs"""
CONFIDENCE = 0.95
DRAWS = 10_000
BLOCK_HORIZONS = 10
"""mean block of the bootstrap, in forecast horizons: errors of windows that overlap are alike, and so are those of calm weeks"""


Interval = tuple[float, float]


def compared() -> dict[str, tuple[str, dict[str, Any]]]:
    """`COMPARED`, and the forecasters of plugins under their own names."""
    return COMPARED | {name: (name, {}) for name in sorted(own_names("FORECASTERS"))}


@dataclass(frozen=True)
class ForecastScore:
    """One forecaster on one range.

    Args:
        validation_loss: mean squared error on validation, in the scaled units that networks are trained in.
        mse: mean squared error of the closes, USD squared, over all windows and horizons.
        skill: 1 - mse / that of the last value: the share of its error that is gone; 0 for the last value.
        interval: 95 % of the skill, by the bootstrap.
        sure: the interval that holds for all forecasters at once with 95 %, after Bonferroni: what the words are about.
        direction: share of the windows whose last horizon lies on the forecast side of the last close; None for who takes none.
    """

    validation_loss: float
    mse: float
    skill: float
    interval: tuple[float, float]
    sure: tuple[float, float]
    direction: float | None


@dataclass(frozen=True)
class Comparison:
    """Forecasters on the same windows.

    Args:
        windows: how many.
        rising: share of the windows whose close rose over the horizon: what forecasting "up" always would be right in.
        rises: the probabilities of those that forecast a rise; None if there is none.
    """

    scores: dict[str, ForecastScore]
    windows: int
    rising: float
    rises: RiseComparison | None = None

    @property
    def in_words(self) -> str:
        """Which forecasters beat the last value, which are worse, and of which nothing can be said."""
        others = {name: score for name, score in self.scores.items() if name != LAST_VALUE}
        better = [f"{name} ({score.skill:+.1%})" for name, score in others.items() if score.sure[0] > 0]
        worse = [f"{name} ({score.skill:+.1%})" for name, score in others.items() if score.sure[1] < 0]
        undecided = [name for name, score in others.items() if score.sure[0] <= 0 <= score.sure[1]]
        beaten = f"{_listed(better)} {'beats' if len(better) == 1 else 'beat'}" if better else "No forecaster is shown to beat"
        return (
            f"{beaten} the last value, by squared error over {self.windows:,} "
            f"overlapping windows, sure to {CONFIDENCE:.0%}{f' for all {len(others)} at once' if len(others) > 1 else ''}."
            + (f" Worse than it: {_listed(worse)}." if worse else "")
            + (f" No difference is shown for {_listed(undecided)}." if undecided else "")
            + (f" The same forecasts: {'; '.join(map(_listed, self._alike))}." if self._alike else "")
        )

    @property
    def _alike(self) -> list[list[str]]:
        """Who gave the same to the last digit, such as two networks whose output activations never had anything to cut off."""
        by_error: dict[float, list[str]] = {}
        for name, score in self.scores.items():
            by_error.setdefault(score.mse, []).append(name)
        return [names for names in by_error.values() if len(names) > 1]


def compare(split: Split, part: Part, forecasters: dict[str, FittedForecaster], seed: int = 0) -> Comparison:
    """Score forecasters on the windows that lie within one range and hold no gap.

    Args:
        split: whose train and validation ranges they were fitted with.
        part: the range.
        forecasters: by the name to show; one of them is `LAST_VALUE`.

    Raises:
        InputError: forecasters of other lengths, or a range without a window.
    """
    own, validation, first = part.own, split.validation.own, next(iter(forecasters.values())).settings
    for name, fitted in forecasters.items():
        if (fitted.settings.past_bars, fitted.settings.future_bars) != (first.past_bars, first.future_bars):
            raise InputError(f"forecasters are compared on the same windows, but {name} has others; train it on the same lengths")
    ends = windows_of(own, first, sliding=True).ends
    close = own.column("close")
    moves = np.sign(close[ends + first.future_bars] - close[ends])
    losses, errors, directions = [], [], []
    for fitted in forecasters.values():
        shown = fitted.forecast(validation)
        losses.append(scaled_loss(shown, split.train.own, validation, fitted.settings))
        paths = (shown if part.name == split.validation.name else fitted.forecast(own))[ends]
        errors.append(price_errors(close, ends, paths))
        directions.append(_direction(paths[:, -1], moves))
    skills = _skills(np.column_stack(errors), list(forecasters).index(LAST_VALUE), BLOCK_HORIZONS * first.future_bars, seed)
    columns = zip(losses, (float(error.mean()) for error in errors), *skills, directions, strict=True)
    scores = dict(zip(forecasters, (ForecastScore(*figures) for figures in columns), strict=True))
    return Comparison(scores, len(ends), float((moves > 0).mean()), compare_rises(part, ends, forecasters, seed))


def last_value(settings: ForecastSettings) -> FittedForecaster:
    """The forecaster that everything is compared with: tomorrow's close is today's."""
    return FittedForecaster("last_value", settings, {})


def price_errors(close: np.ndarray, ends: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """Mean squared errors (M,), USD squared, of forecast log returns (M, K) from the closes of the bars `ends` (M,)."""
    true = close[ends[:, None] + 1 + np.arange(paths.shape[1])]
    return ((close[ends, None] * np.exp(paths) - true) ** 2).mean(axis=1)


def comparison_table(comparison: Comparison, title: str, trained: dict[str, tuple[int, float] | None]) -> Table:
    """A row a forecaster, at most 80 characters wide; `trained` tells the epochs and the seconds of each."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("val. loss", "MSE, USD²", "skill", "95 %", "direction", "s/epoch"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, score in comparison.scores.items():
        low, high = (f"{100 * bound:+.1f}" for bound in score.interval)
        skill = ("", "") if name == LAST_VALUE else (f"{score.skill:+.1%}", f"{low} to {high}")
        direction = "" if score.direction is None else f"{score.direction:.1%}"
        learned = trained.get(name)
        seconds = f"{learned[1]:.2f}" if learned else ""
        table.add_row(name, f"{score.validation_loss:.4g}", f"{score.mse:,.0f}", *skill, direction, seconds)
    return table


def read_comparison(path: Path) -> Comparison:
    """What was written of `dataclasses.asdict(comparison)`.

    Raises:
        RunError: a damaged file.
    """
    try:
        content = json.loads(path.read_text())
        scores = {
            name: ForecastScore(**score | {key: (float(score[key][0]), float(score[key][1])) for key in ("interval", "sure")})
            for name, score in content["scores"].items()
        }
        return Comparison(scores, content["windows"], content["rising"], read_rises(content.get("rises")))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise RunError(f"cannot read {path}: {one_line(error)}; delete it and resume the run") from None


def _skills(
    errors: np.ndarray, reference: int, mean_block: float, seed: int
) -> tuple[list[float], list[Interval], list[Interval]]:
    """Skills, their intervals, and those for all at once, from squared errors (n, m)."""
    means = resampled_means(errors, mean_block, DRAWS, seed)
    drawn = 1 - means / means[:, [reference]]
    observed = errors.mean(axis=0)
    skills = 1 - observed / observed[reference]
    tail = (1 - CONFIDENCE) / 2
    return skills.tolist(), _between(drawn, tail), _between(drawn, tail / max(errors.shape[1] - 1, 1))


def _between(drawn: np.ndarray, tail: float) -> list[Interval]:
    return [(float(low), float(high)) for low, high in np.quantile(drawn, [tail, 1 - tail], axis=0).T]


def _direction(ends: np.ndarray, moves: np.ndarray) -> float | None:
    """Of the windows that moved and where the forecast takes a side."""
    told = (ends != 0) & (moves != 0)
    return float((np.sign(ends[told]) == moves[told]).mean()) if told.any() else None


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
