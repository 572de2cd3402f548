"""Columns beside the candles (`candles.extra`: funding rates, open interest, sentiment, another exchange's close) as features.

Each value is known when its bar closes, or `extra_delay_bars` later. Where the source has nothing, the last known value stays.
Before the first one stands the median of train, which the scaler turns into about 0; a change is 0 there and at the first one.
"""

import numpy as np
import pandas as pd

from common import InputError, unknown
from market import Candles

FORMS = ("level", "diff", "log")
"""as it is; the change from the bar before; the change of the logarithm"""


def form_of(item: str) -> tuple[str, str]:
    """`open_interest:log` -> the column and the form; `level` where none is named.

    Raises:
        ValueError: no such form.
    """
    name, _, form = item.partition(":")
    form = form or "level"
    if form not in FORMS:
        raise ValueError(unknown("form of an extra column", form, FORMS))
    return name.strip(), form


def fit_extra(train: Candles, items: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The median of each column on train: what stands where nothing is known yet.

    Raises:
        InputError: a column that the candles do not have, that has no value on train, or is not above 0 where a logarithm is
            asked for.
    """
    medians = {}
    for item in items:
        name, form = form_of(item)
        values = _column(train, name)
        known = values[np.isfinite(values)]
        if not len(known):
            raise InputError(
                f"an extra column needs a value on train, but `{name}` of {train.source} has none in its {len(train):,} bars; "
                "leave it out of `features.extra`, or begin later"
            )
        if form == "log" and (known <= 0).any():
            raise InputError(
                f"a logarithm needs values above 0, but `{name}` of {train.source} has {known.min():g}; "
                f"ask for {name}:diff or {name}:level"
            )
        medians[f"median_{name}"] = np.array(np.median(known))
    return medians


def extra_columns(candles: Candles, items: tuple[str, ...], delay: int, medians: dict[str, np.ndarray]) -> pd.DataFrame:
    """float64 (T, len(items)), `extra_funding_rate`, `extra_open_interest_log` and so on; the first `delay` + 1 rows are NaN.

    Args:
        candles: T bars with `extra`.
        items: columns, each with a form behind a colon.
        delay: bars after which a value is known, beyond the close of its own bar.
        medians: what `fit_extra` gave.

    Raises:
        InputError: a column that the candles do not have.
    """
    table = {}
    for item in items:
        name, form = form_of(item)
        known = pd.Series(_column(candles, name), candles.index).ffill()
        if form == "log":
            known = pd.Series(np.log(known.where(known > 0).to_numpy()), candles.index).ffill()
        values = known.fillna(float(medians[f"median_{name}"])) if form == "level" else known.diff().fillna(0.0)
        values = values.shift(delay)
        values.iloc[: delay + 1] = np.nan
        table[f"extra_{name}" + ("" if form == "level" else f"_{form}")] = values
    return pd.DataFrame(table, index=candles.index)


def _column(candles: Candles, name: str) -> np.ndarray:
    columns = [] if candles.extra is None else [str(column) for column in candles.extra.columns]
    if name not in columns:
        raise InputError(f"{unknown('extra column', name, columns) if columns else f'the candles have no extra column {name!r}'} "
                         f"in {candles.source}; `python -m market check FILE` lists them")  # fmt: skip
    assert candles.extra is not None
    return candles.extra[name].to_numpy(np.float64)
