"""The tables of the page."""

from html import escape

import numpy as np
import pandas as pd

from evaluation.backtest.names import AGENT
from evaluation.backtest.outcome import Outcome
from evaluation.report.return_histogram import return_in_words, strong_return
from evaluation.statistics.figures_of_merit import FIGURES, format_figure, no_wider


def figures_rows(outcome: Outcome) -> str:
    """A row a strategy, below each figure its interval; the seeds and their interquartile mean stand below the agent."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading, _ in FIGURES.values())
    names = [name for name in outcome.figures if name not in outcome.seeds]
    rows = [_figures_row(outcome, names[0], "agent"), *(_figures_row(outcome, name, "seed") for name in outcome.seeds)]
    if outcome.over_seeds:
        rows.append(_seeds_row(outcome))
    rows += [_figures_row(outcome, name, "") for name in names[1:]]
    return f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"


def _figures_row(outcome: Outcome, name: str, kind: str) -> str:
    values, intervals = outcome.figures[name], outcome.intervals.get(name, {})
    cells = "".join(_cell(key, values.get(key), intervals.get(key)) for key in FIGURES)
    return f'<tr class="{kind}"><th scope="row">{escape(outcome.shown(name))}</th>{cells}</tr>'


def _seeds_row(outcome: Outcome) -> str:
    over = {key: outcome.over_seeds.get(key) for key in FIGURES}
    cells = "".join(_cell(key, found[0], found[1:]) if found else _cell(key, None, None) for key, found in over.items())
    return f'<tr class="seed"><th scope="row">interquartile mean</th>{cells}</tr>'


def _cell(key: str, value: float | int | None, interval: tuple[float, ...] | None) -> str:
    between = f"<small>{_bound(key, interval[0])}<br>{_bound(key, interval[1])}</small>" if interval else ""
    return f"<td>{format_figure(key, value)}{between}</td>"


def _bound(key: str, value: float) -> str:
    """As the figure, with fewer digits where it is large."""
    kind = FIGURES[key][1]
    if kind.endswith("%"):
        return no_wider(key, f"{value:{'+' * ('+' in kind)}z,.{0 if abs(value) >= 1 else 1}%}", value)
    words = format_figure(key, value) if abs(value) < 10 else f"{value:,.{0 if abs(value) >= 100 else 1}f}"
    return no_wider(key, words, value)


def monthly_rows(outcome: Outcome) -> str:
    """A row a strategy, a column a month, tinted by the return."""
    table, reach = outcome.monthly, strong_return(outcome.monthly)
    months = pd.to_datetime(table.index.astype(str))
    head = "".join(f"<th>{month:%b}<br>{month:%Y}</th>" for month in months)
    rows = "".join(
        f'<tr class="{_kind(outcome, name)}"><th scope="row">{escape(str(name))}</th>'
        + "".join(_heat(value, reach) for value in table[name])
        + "</tr>"
        for name in table.columns
    )
    return f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody>"


def _kind(outcome: Outcome, name: object) -> str:
    return "agent" if name == AGENT else "seed" if name in outcome.seeds else ""


def _heat(value: float, reach: float) -> str:
    if not np.isfinite(value):
        return "<td></td>"
    kind = "gain" if value > 0 else "loss"
    return f'<td class="{kind}" style="--heat:{min(abs(value) / reach, 1.0):.2f}">{return_in_words(value)}</td>'


def windows_rows(outcome: Outcome) -> str:
    """A row a window of the range: its days, then what each of the growths there is as a return."""
    growths = outcome.windows.columns.drop(["first", "last"])
    head = "".join(f"<th>{escape(str(name).replace('_', ' '))}</th>" for name in growths)
    rows = "".join(
        f'<tr><th scope="row">{row["first"]:%Y-%m-%d} to {row["last"]:%Y-%m-%d}</th>'
        + "".join(f"<td>{np.expm1(row[name]):+.1%}</td>" for name in growths)
        + "</tr>"
        for _, row in outcome.windows.iterrows()
    )
    return f"<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody>"
