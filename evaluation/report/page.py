"""`report.html`: what a backtest came to as one self-contained page, light or dark as the reader's system is."""

import json
import math
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs

from common import write_atomically
from envs import OPTIMISTIC
from evaluation.backtest.outcome import Outcome
from evaluation.report import charts, palette
from evaluation.report.return_histogram import histogram
from evaluation.report.tables import figures_rows, monthly_rows, windows_rows
from evaluation.statistics.verdict import EDGE, HARM, Verdict

ANNUALISED = "CAGR, volatility, the ratios and the turnover are of a year; the longest drawdown is in bars, fees are in {money}."
PRICE = (
    'A candle is <span id="candle"></span>, a triangle all buys or sells of the agent within <span id="triangle"></span>. '
    '<span class="mouse">Drag to move; zoom by the buttons, Ctrl and the wheel, or by drawing a stretch in a chart below.</span>'
)
WORTH = "{money}, on a log scale: equal distances are equal gains. A click on a name shows or hides it in all charts."
LEARNING = "Log growth on validation by training steps, within one standard error; the dot is the agent that was kept."
DISCLAIMER = "Research software. This is not investment advice."


def write_report(path: Path, outcome: Outcome) -> None:
    """Write the page: the verdict, its reasons, the figures, the notes, the charts. It asks the network for nothing."""
    figures = {"distribution": charts.distribution(outcome), "costs": charts.costs(outcome)}
    figures |= {"learning": charts.learning(outcome)} if outcome.learning else {}
    data = {"series": charts.series(outcome), "figures": figures, "colors": list(palette.LIGHT)}
    write_atomically(
        path,
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(outcome.title)}</title>
<style>
{_colors()}
{_asset("page.css")}</style>
</head>
<body><main>
<header><div><small>CoinDojo backtest</small><h1>{escape(outcome.title)}</h1></div>
<button id="theme" title="light or dark">◐</button></header>
{f'<p class="warn"><b>OPTIMISTIC fills.</b> {escape(OPTIMISTIC)}</p>' if outcome.optimistic else ""}
{_verdict(outcome.verdict)}
{_sections(outcome)}
<footer><p class="note">{DISCLAIMER}</p></footer>
</main>
<noscript>The charts need JavaScript; the verdict and the tables do not.</noscript>
<script>{get_plotlyjs()}</script>
<script type="application/json" id="data">{_json(data)}</script>
<script>
{_asset("arrays.js")}
{_asset("page.js")}</script>
</body></html>
""",
    )


def _asset(name: str) -> str:
    return files("evaluation.report").joinpath(name).read_text(encoding="utf-8")


def _json(data: Mapping[str, object]) -> str:
    """Without NaN, which JSON does not know, and without an end of the script that it stands in."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")


def _colors() -> str:
    """The palette as CSS variables: the dark one where the reader's system or his click asks for it."""
    light, dark = ("".join(f"--{name}:{color};" for name, color in colors.items()) for colors in (palette.LIGHT, palette.DARK))
    return (
        f":root{{color-scheme:light;{light}}}\n:root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
        f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
    )


def _verdict(verdict: Verdict) -> str:
    kind = {EDGE: "edge", HARM: "harm"}.get(verdict.verdict, "none")
    facts = "".join(
        f"<div><dt>{name}</dt><dd>{value}{f' <small>{beside}</small>' if beside else ''}</dd></div>"
        for name, value, beside in _facts(verdict)
    )
    return (
        f'<div class="verdict {kind}"><strong>{escape(verdict.verdict[0].upper() + verdict.verdict[1:])}</strong>'
        + "".join(f"<p>{escape(reason)}</p>" for reason in verdict.reasons)
        + f'<dl class="facts">{facts}</dl></div>'
    )


def _facts(verdict: Verdict) -> list[tuple[str, str, str]]:
    """(what, number, what stands beside it) of all that the verdict rests on."""
    evidence = verdict.evidence
    low, high = (math.expm1(bound) for bound in evidence.interval)
    needed = "no length is enough" if evidence.min_track_record_bars is None else f"{evidence.min_track_record_bars:,.0f} needed"
    facts = [
        ("made by timing, after costs", f"{math.expm1(evidence.active_log_growth):+.1%}", f"{low:+.1%} to {high:+.1%}"),
        ("lost to costs", f"{-math.expm1(-evidence.costs):.1%}", f"in {evidence.fills:,} fills"),
        ("luck does as well in", f"{100 * evidence.p_value:.2g}%", f"{100 * evidence.level:.2g}% or less is an edge"),
        ("test range opened", _known(evidence.openings), "times" if evidence.openings != 1 else "time"),
        ("bars judged", f"{evidence.bars:,}", needed),
    ]
    facts.append(("trials on validation", _known(evidence.trials), f"deflated Sharpe {evidence.dsr:.2f}"))
    return facts + ([] if evidence.overfitting is None else [("overfitting of the search", f"{evidence.overfitting:.0%}", "")])


def _known(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _sections(outcome: Outcome) -> str:
    """In reading order; two small ones stand side by side where there is room."""
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in outcome.notes)
    bounds = "Below each figure the bounds of its 95 % interval, by the stationary bootstrap. " if outcome.intervals else ""
    days, on = histogram(outcome.episodes), outcome.validated or "On the validation range"
    return (
        _section(
            "Figures",
            f"{bounds}{ANNUALISED.format(money=escape(outcome.money))}",
            _table("figures", figures_rows(outcome)) + notes,
        )
        + _section(
            "Price and trades", PRICE, f'<div class="bar"><div id="told"></div><div id="ranges"></div></div>{_chart("price")}'
        )
        + _section("Net worth", WORTH.format(money=escape(outcome.money)), f'<div class="legend"></div>{_chart("worth")}')
        + _section("Drawdown", "How far each stands below its highest net worth so far.", _chart("drawdown"))
        + _section("Exposure", "Value of the coin as a share of the agent's net worth.", _chart("exposure"))
        + _section("Months", "Return of each calendar month, UTC.", _table("heat", monthly_rows(outcome)))
        + _pair(
            _section(f"Returns of a {days.unit}", days.words, _chart("distribution")),
            _section(
                "At other fees", "What was left of the start by the multiple of the fee, each deciding anew.", _chart("costs")
            ),
        )
        + _pair(
            _section("Windows", "Returns in stretches of the range.", _table("", windows_rows(outcome)))
            if len(outcome.windows)
            else "",
            _section("Learning", escape(f"{LEARNING} {on}."), _chart("learning")) if outcome.learning else "",
        )
    )


def _section(heading: str, words: str, body: str) -> str:
    return f'<section><h2>{heading}</h2><p class="note">{words}</p>{body}</section>\n'


def _pair(one: str, other: str) -> str:
    return f'<div class="pair">{one}{other}</div>'


def _chart(name: str) -> str:
    return f'<div class="chart" id="{name}"></div>'


def _table(kind: str, rows: str) -> str:
    return f'<div class="scroll {kind}"><table>{rows}</table></div>'
