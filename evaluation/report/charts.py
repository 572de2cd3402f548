"""What the page's charts show, as plain dicts: plotly figures whose colors are names of the page's palette, and the arrays that
its script makes the charts over time from, at the zoom that is asked for.
"""

import base64
import math
from typing import Any

import numpy as np
import pandas as pd

from evaluation.backtest.names import AGENT, BUY_AND_HOLD, FORESIGHT, WALK_FORWARD
from evaluation.backtest.outcome import Outcome
from evaluation.report.palette import LINE_STYLES, LineStyle, line_styles
from evaluation.report.return_histogram import histogram

Figure = dict[str, Any]


def series(outcome: Outcome) -> dict[str, Any]:
    """Everything over time, an entry a bar, as base64 of little-endian numbers.

    `time` is int32 seconds; prices, volume, net worth and position are float32, NaN where an episode had ended; a trade names
    its `bar` (int32).
    """
    candles, styles = outcome.candles, line_styles(outcome.episodes, outcome.seeds)
    index = pd.DatetimeIndex(candles.index)
    prices = {name: packed(candles[name]) for name in ("open", "high", "low", "close", "volume")}
    return {
        "time": packed(index.as_unit("s").asi8, np.int32),
        "bar": int(np.median(np.diff(index.as_unit("s").asi8))),
        **prices,
        "strategies": [_strategy(outcome, name, style) for name, style in styles.items()],
        "trades": _trades(outcome, index),
    }


def _strategy(outcome: Outcome, name: str, style: LineStyle) -> dict[str, Any]:
    table = outcome.episodes[name].table
    aligned = table[["net_worth", "position"]].reindex(outcome.candles.index)
    owned = name in (AGENT, WALK_FORWARD, *outcome.seeds)  # the exposure of the others would only hide the agent's
    return {
        "name": name, "shown": name != FORESIGHT, "times": float(table["net_worth"].iloc[-1] / table["net_worth"].iloc[0]),
        "line": {"color": f"var(--{style.color})", "width": style.width, "dash": style.dash}, "opacity": style.opacity,
        "net_worth": packed(aligned["net_worth"]), "position": packed(aligned["position"]) if owned else None,
    }  # fmt: skip


def _trades(outcome: Outcome, index: pd.DatetimeIndex) -> dict[str, str]:
    trades = outcome.episodes[AGENT].trades
    bars = np.maximum(index.searchsorted(pd.DatetimeIndex(trades["time"]), side="right") - 1, 0)
    return {
        "bar": packed(bars, np.int32), "bought": packed(trades["side"] == "buy", np.uint8),
        "coin": packed(trades["coin"]), "price": packed(trades["price"]),
    }  # fmt: skip


def packed(values: Any, dtype: type[np.generic] = np.float32) -> str:
    """Numbers as base64, for the page's script."""
    return base64.b64encode(np.asarray(values).astype(np.dtype(dtype).newbyteorder("<")).tobytes()).decode()


def distribution(outcome: Outcome) -> Figure:
    """How often which return came, the agent's as columns, buy and hold's as an outline."""
    days = histogram(outcome.episodes)
    shares, edges = days.shares, days.edges
    middles = (edges[1:] + edges[:-1]) / 2
    columns = {
        "type": "bar", "name": AGENT, "x": middles.tolist(), "y": shares[AGENT].tolist(), "width": np.diff(edges).tolist(),
        "marker": {"color": "var(--agent)", "line": {"width": 0}}, "opacity": 0.75,
        "hovertemplate": "%{x:+.1%}: %{y:.1%} of them<extra>agent</extra>",
    }  # fmt: skip
    outline = {
        "type": "scatter", "mode": "lines", "name": BUY_AND_HOLD, "x": middles.tolist(), "y": shares[BUY_AND_HOLD].tolist(),
        "line": {"color": "var(--hold)", "width": 1.7, "shape": "hvh"},
        "hovertemplate": "%{x:+.1%}: %{y:.1%} of them<extra>buy and hold</extra>",
    }  # fmt: skip
    axes = {"xaxis": {"tickformat": "+.0%", "showgrid": False}, "yaxis": {"tickformat": ".0%", "rangemode": "tozero"}}
    return {"data": [columns, outline], "layout": {"bargap": 0, **axes}}


def costs(outcome: Outcome) -> Figure:
    """What was left of the start, by the multiple of the fee, on a log axis; nothing where it ended in debt."""
    styles = line_styles(outcome.episodes, outcome.seeds)
    data = []
    for name, row in outcome.costs.iterrows():
        style = styles[str(name)]
        left = (1 + row).where(row > -1)
        data.append({
            "type": "scatter", "mode": "lines+markers", "name": name, "opacity": style.opacity,
            "x": [f"{multiple:g}x" for multiple in outcome.costs.columns], "y": [None if pd.isna(x) else float(x) for x in left],
            "line": {"color": f"var(--{style.color})", "width": style.width, "dash": style.dash},
            "marker": {"color": f"var(--{style.color})", "size": 4 + 1.5 * style.width},
            "hovertemplate": f"%{{y:.3f}}x its start at %{{x}} the fee<extra>{name}</extra>",
        })  # fmt: skip
    axes = {"xaxis": {"type": "category", "showgrid": False}, "yaxis": {"type": "log", "tickformat": "~g", "ticksuffix": "x"}}
    return {"data": data[::-1], "layout": axes | {"annotations": _named(outcome)}, "follows": True}


def _named(outcome: Outcome) -> list[dict[str, Any]]:
    """The names of the agent and of buy and hold, at the ends of their lines: one above its line, the other below."""
    ends = {name: 1 + float(outcome.costs.loc[name].to_numpy()[-1]) for name in (AGENT, BUY_AND_HOLD)}
    place = {"x": 1, "xref": "paper", "xanchor": "right", "yref": "y", "showarrow": False}
    return [
        {"text": name, "y": math.log10(end), "yanchor": "bottom" if end == max(ends.values()) else "top",
         "font": {"color": f"var(--{LINE_STYLES[name].color})"}, **place}
        for name, end in ends.items() if end > 0
    ]  # fmt: skip


def learning(outcome: Outcome) -> Figure:
    """Log growth on validation by training steps: a line a seed, within one standard error; a dot where it was best."""
    data = []
    for seed, looks_taken in outcome.learning.items():
        table = pd.DataFrame(looks_taken)
        low, high = table["log_growth"] - table["standard_error"], table["log_growth"] + table["standard_error"]
        steps, best = table["step"].tolist(), table[table["best"]].tail(1)
        band = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "x": steps + steps[::-1],
                "y": [*high, *low[::-1]], "fill": "toself", "fillcolor": "var(--agent)", "opacity": 0.1}  # fmt: skip
        line = {"type": "scatter", "mode": "lines", "name": seed, "line": {"color": "var(--agent)", "width": 1.4}, "opacity": 0.8,
                "x": steps, "y": table["log_growth"].tolist(),
                "hovertemplate": f"%{{y:+.3f}} after %{{x:,}} steps<extra>{seed}</extra>"}  # fmt: skip
        dot = {"type": "scatter", "mode": "markers", "name": seed, "x": best["step"].tolist(), "y": best["log_growth"].tolist(),
               "marker": {"color": "var(--buy)", "size": 9, "line": {"color": "var(--page)", "width": 1.5}},
               "hovertemplate": f"kept: %{{y:+.3f}} after %{{x:,}} steps<extra>{seed}</extra>"}  # fmt: skip
        data += [band, line, dot]
    return {
        "data": data,
        "layout": {"xaxis": {"tickformat": "~s", "showgrid": False}, "yaxis": {"tickformat": "+.2~f", "zeroline": True}},
    }
