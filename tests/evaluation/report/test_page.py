import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from browser import CHROMIUM, Browser
from helpers import no_features
from outcomes import REASONS, make_outcome
from plotly.offline import get_plotlyjs
from rich.console import Console

from agents import Flat
from envs import OPTIMISTIC, EnvSettings
from evaluation import play
from evaluation.report import figures_table, write_report
from evaluation.statistics import FIGURES, format_figure
from market import simulate

CHARTS = ("price", "worth", "drawdown", "exposure", "distribution", "costs", "learning")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed, so no page can be opened")


@pytest.fixture(scope="module")
def outcome():
    return make_outcome(seeds=2)


@pytest.fixture(scope="module")
def page(outcome, tmp_path_factory):
    return written(outcome, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def long_outcome():
    """20 thousand bars, 15 strategies."""
    return make_outcome(20_000, seeds=3, models=6)


@pytest.fixture(scope="module")
def long_page(long_outcome, tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "report.html"
    write_report(path, long_outcome)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def written(outcome, folder) -> str:
    write_report(folder / "report.html", outcome)
    return (folder / "report.html").read_text()


def found(pattern: str, text: str, flags: int = 0) -> re.Match[str]:
    match = re.search(pattern, text, flags)
    assert match, f"nothing is like {pattern}"
    return match


def data_of(page: str) -> dict:
    return json.loads(found(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def unpacked(text: str, dtype: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def zoom(browser: Browser, chart: str, first: pd.Timestamp, last: pd.Timestamp) -> None:
    """As plotly tells it when a reader has moved the edges."""
    edges = [f"{edge:%Y-%m-%d %H:%M}" for edge in (first, last)]
    browser.run(f"Plotly.relayout('{chart}', {{ 'xaxis.range': {edges} }}).then(() => true)")


# ---- what the page says


def test_the_verdict_its_reasons_and_the_openings_stand_before_everything_else(page):
    top = page[page.index("<h1>") : page.index("<h2>")]
    for words in ("No evidence of an edge", *REASONS, "31", "2 <small>times"):
        assert words in top


@pytest.mark.parametrize(
    ("words", "kind"), [("evidence of an edge", "edge"), ("no evidence of an edge", "none"), ("evidence of harm", "harm")]
)
def test_each_verdict_has_its_own_color(outcome, tmp_path, words, kind):
    said = replace(outcome, verdict=replace(outcome.verdict, verdict=words))
    assert f'<div class="verdict {kind}">' in written(said, tmp_path)


def test_an_unknown_number_of_trials_is_said_to_be_unknown(outcome, tmp_path):
    unknown = replace(outcome.verdict.evidence, trials=None, openings=None, overfitting=None, min_track_record_bars=None)
    blind = replace(outcome.verdict, evidence=unknown)
    page = written(replace(outcome, verdict=blind), tmp_path)
    assert page.count("<dd>unknown <small>") == 2  # the openings, too
    assert "no length is enough" in page
    assert "overfitting" not in page[: page.index("<h2>")]


def test_every_figure_of_every_strategy_stands_in_the_table(page, outcome):
    rows = dict(re.findall(r'<tr class="[a-z]*"><th scope="row">([^<]*)</th>(.*?)</tr>', page)[: len(outcome.figures) + 1])
    for name, figures in outcome.figures.items():
        cells = re.findall(r"<td>([^<]*)", rows[name])
        assert cells == [format_figure(key, figures[key]) for key in FIGURES]


def test_every_figure_that_has_an_interval_shows_both_of_its_bounds(page, outcome):
    row = found(r'<tr class="agent"><th scope="row">agent</th>(.*?)</tr>', page)[1]
    cells = dict(zip(FIGURES, row.split("</td>"), strict=False))
    for key, (low, high) in outcome.intervals["agent"].items():
        bounds = found(r"<small>(.*)<br>(.*)</small>", cells[key]).groups()
        shown = [float(bound.strip("%+").replace(",", "")) / (100 if "%" in bound else 1) for bound in bounds]
        np.testing.assert_allclose(shown, (low, high), rtol=0.02, atol=0.006)


def test_the_seeds_and_their_interquartile_mean_stand_below_the_agent(page):
    names = re.findall(r'<th scope="row">([^<]*)</th>', page)
    assert names[:5] == ["agent", "seed 0", "seed 1", "interquartile mean", "buy and hold"]
    assert "<td>+50.0%<small>+40.0%<br>+60.0%</small></td>" in page


def test_what_is_not_known_is_left_out(outcome, tmp_path):
    bare = replace(outcome, intervals={}, over_seeds={}, seeds=(), learning={}, windows=pd.DataFrame())
    page = written(bare, tmp_path)
    for words in ("interval", "interquartile", "Learning", "Windows"):
        assert words not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_every_month_of_every_strategy_is_told(page, outcome):
    assert len(re.findall(r'style="--heat:', page)) == outcome.monthly.size
    assert all(f"{month:%b}<br>{month:%Y}" in page for month in pd.to_datetime(outcome.monthly.index))


def test_optimistic_fills_are_marked_above_the_verdict(outcome, tmp_path):
    page = written(replace(outcome, optimistic=True), tmp_path)
    assert page.index(OPTIMISTIC) < page.index('class="verdict')


def test_a_name_cannot_break_the_page(outcome, tmp_path):
    evil = "</script><script>alert(1)</script>"
    names = {name: evil if name == "SMA crossover" else name for name in outcome.episodes}
    named = {
        "episodes": {names[name]: episode for name, episode in outcome.episodes.items()},
        "figures": {names[name]: row for name, row in outcome.figures.items()},
        "costs": outcome.costs.rename(names), "monthly": outcome.monthly.rename(columns=names),
    }  # fmt: skip
    page = written(replace(outcome, title=evil, notes=(evil,), **named), tmp_path)
    assert evil not in page
    assert page.count("</script>") == 3
    assert evil in [strategy["name"] for strategy in data_of(page)["series"]["strategies"]]


def test_the_same_outcome_gives_the_same_bytes(outcome, page, tmp_path):
    assert written(outcome, tmp_path) == page


# ---- what the page holds


def test_the_page_holds_the_bars_the_curves_and_the_trades_of_the_backtest(page, outcome):
    series = data_of(page)["series"]
    seconds = unpacked(series["time"], "<i4")
    np.testing.assert_array_equal(pd.to_datetime(seconds, unit="s", utc=True), outcome.candles.index)
    assert series["bar"] == 3600
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(unpacked(series[name]), outcome.candles[name], rtol=1e-6)
    for strategy, (name, episode) in zip(series["strategies"], outcome.episodes.items(), strict=True):
        assert strategy["name"] == name
        np.testing.assert_allclose(unpacked(strategy["net_worth"]), episode.table["net_worth"], rtol=1e-6)
    fills = outcome.episodes["agent"].trades
    times = pd.to_datetime(seconds[unpacked(series["trades"]["bar"], "<i4")], unit="s", utc=True)
    np.testing.assert_array_equal(times, fills["time"])
    np.testing.assert_array_equal(unpacked(series["trades"]["bought"], "u1") == 1, fills["side"] == "buy")


def test_plotly_knows_every_property_of_every_chart(page):
    for figure in data_of(page)["figures"].values():
        black = json.loads(re.sub(r"var\(--[a-z0-9-]+\)", "#000000", json.dumps(figure)))
        go.Figure(black["data"], black["layout"])


def test_every_color_that_a_chart_names_is_in_the_palette(page):
    data = data_of(page)
    named = set(re.findall(r"var\(--([a-z0-9-]+)\)", json.dumps(data)))
    assert named <= set(data["colors"])
    assert all(page.count(f"--{name}:#") == 3 for name in named)  # light, and dark twice: by the system, by the click


def test_a_curve_that_ended_in_debt_ends_in_the_page(outcome, tmp_path):
    agent = outcome.episodes["agent"]
    ruined = replace(agent, table=agent.table.iloc[:1_000].assign(net_worth=lambda table: table["net_worth"] - 20_000))
    page = written(replace(outcome, episodes=outcome.episodes | {"agent": ruined}), tmp_path)
    worth = unpacked(data_of(page)["series"]["strategies"][0]["net_worth"])
    assert np.isnan(worth[1_000:]).all()
    assert (worth[:1_000] < 0).any()


def test_an_agent_that_never_traded_has_a_report(outcome, tmp_path):
    candles = simulate("bitcoin", bars=1_500, seed=7)
    flat = play(candles, no_features(candles), EnvSettings(), Flat())
    page = written(replace(outcome, episodes=outcome.episodes | {"agent": flat}), tmp_path)
    assert data_of(page)["series"]["trades"]["bar"] == ""


def addresses_in(page: str) -> list[str]:
    """What a browser could be sent to by the page's own words; plotly's, which name the hosts of maps, are left out."""
    own = page.replace(get_plotlyjs(), "")
    attributes = re.findall(
        r"""<(?:link|base|img|iframe|object|embed)\b[^>]*|\b(?:src|href|action|poster|srcset)\s*=[^>]*""", own
    )
    return attributes + re.findall(r"@import[^;]*|url\([^)]*|https?:\S*|wss?:\S*|sendBeacon|fetch\(|XMLHttpRequest", own)


def test_the_page_names_no_address(page):
    """Where there is no browser to see what it asks for."""
    assert addresses_in(page) == []
    for bad in ('<link rel="preconnect" href="//a.b">', "<script src=x></script>", "<style>@import 'x';</style>", "url(x)"):
        assert addresses_in(page + bad)


# ---- what a reader sees


@in_chromium
@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.slow)])
def test_the_page_opens_without_an_error_a_request_or_a_sideways_scroll(browser, long_page, width, scheme):
    browser.open(long_page, width, scheme=scheme)
    assert browser.run("document.documentElement.scrollWidth") == width
    drawn = browser.run(f"{json.dumps(CHARTS)}.filter(id => document.querySelector(`#${{id}} svg .trace, #${{id}} svg .point`))")
    assert drawn == list(CHARTS)
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 23, 34)"}[scheme]
    browser.run("scrollTo(0, document.body.scrollHeight)")
    browser.run("[...document.querySelectorAll('button')].forEach(made => made.click())")
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert [address for address in browser.requests if not address.startswith("data:")] == [long_page]
    assert addresses_in(Path(long_page.removeprefix("file://")).read_text()) == []
    assert browser.errors == []


@in_chromium
def test_the_reader_can_turn_the_light(browser, page, tmp_path):
    (tmp_path / "report.html").write_text(page)
    browser.open((tmp_path / "report.html").as_uri(), scheme="light")
    browser.run("document.getElementById('theme').click()")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(19, 23, 34)"
    assert browser.run("document.getElementById('price').layout.font.color") == "#e4e7ee"


@in_chromium
def test_zooming_brings_out_the_detail_and_never_more_than_600_candles(browser, long_page, long_outcome):
    browser.open(long_page)
    for first, bars in ((0, 20_000), (3_000, 5_000), (12_345, 1_000), (19_000, 100)):
        index = long_outcome.candles.index[first : first + bars]
        zoom(browser, "price", index[0], index[-1] + pd.Timedelta("1h"))
        shown = browser.run("({ view, first: candles.first, high: element('price').data[1].high })")
        assert shown["view"] == [first, first + bars]
        per_candle = np.diff(shown["first"]).max()
        visible = -(-bars // per_candle)
        assert visible <= 600
        assert visible >= min(bars, 90)
        edges = [*shown["first"], None]
        high = long_outcome.candles["high"].to_numpy()
        for k in range(1, len(shown["first"]) - 1):  # the outermost candles are cut by the window
            assert shown["high"][k] == pytest.approx(high[edges[k] : edges[k + 1]].max(), rel=1e-6)


@in_chromium
def test_the_triangles_stand_for_every_fill_and_are_never_too_many(browser, long_page, long_outcome):
    browser.open(long_page)
    buys, sells = (browser.run(f"marks.{side}.map(mark => mark.fills)") for side in ("buys", "sells"))
    sides = long_outcome.episodes["agent"].trades["side"]
    assert (sum(buys), sum(sells)) == ((sides == "buy").sum(), (sides == "sell").sum())
    assert len(buys) + len(sells) <= 2 * 1280 / 9


@in_chromium
def test_the_candle_and_its_fills_are_told(browser, long_page, long_outcome):
    browser.open(long_page)
    fill = long_outcome.episodes["agent"].trades.iloc[0]
    bar = long_outcome.candles.index.get_loc(fill["time"])
    told = browser.run(f"setView({bar} - 10, {bar} + 10); tell({bar}); element('told').textContent")
    assert told.startswith(f"{fill['time']:%Y-%m-%d %H:%M}")
    assert f"▲ {fill['coin']:.3g} at " in told


@in_chromium
def test_all_charts_over_time_show_the_same_window(browser, long_page):
    browser.open(long_page)
    zoom(browser, "worth", pd.Timestamp("2018-03-01"), pd.Timestamp("2018-04-01"))
    browser.run("for (const draw of Object.values(hanging)) draw()")
    ids = "['price', 'worth', 'drawdown', 'exposure']"
    ranges = browser.run(f"{ids}.map(id => element(id).layout.xaxis.range.map(edge => +new Date(edge)))")
    assert all(shown == ranges[0] for shown in ranges)
    assert ranges[0][1] - ranges[0][0] == pytest.approx(31 * 86_400_000, rel=0.01)


@in_chromium
def test_a_click_on_a_name_hides_it_in_all_charts(browser, long_page):
    browser.open(long_page)
    names = "['worth', 'drawdown', 'costs'].map(id => element(id).data.map(trace => trace.name))"
    assert all("SMA crossover" in shown for shown in browser.run(names))
    browser.run("[...document.querySelectorAll('.legend button')].find(made => made.textContent.startsWith('SMA')).click()")
    browser.run("for (const draw of Object.values(hanging)) draw()")
    assert all("SMA crossover" not in shown for shown in browser.run(names))


@in_chromium
def test_perfect_foresight_waits_until_it_is_asked_for(browser, outcome, tmp_path):
    """It would press all the others into one line."""
    far = outcome.episodes["agent"]
    far = replace(far, table=far.table.assign(net_worth=far.table["net_worth"] * np.logspace(0, 9, len(far.table))))
    figures = outcome.figures | {"perfect foresight": outcome.figures["agent"]}
    seen = replace(outcome, episodes=outcome.episodes | {"perfect foresight": far}, figures=figures)
    write_report(tmp_path / "report.html", seen)
    browser.open((tmp_path / "report.html").as_uri())
    assert browser.run("element('worth').data.map(trace => trace.name)").count("perfect foresight") == 0
    assert browser.run("element('worth').layout.yaxis.range[1]") < 7


@pytest.mark.slow
@in_chromium
@pytest.mark.parametrize("bar", ["1min", "1D"])
def test_bars_of_any_length_are_shown(browser, outcome, tmp_path, bar):
    index = pd.date_range("2020-01-01", periods=1_500, freq=bar, tz="UTC", name="time")
    moved = dict(zip(outcome.candles.index, index, strict=True))
    episodes = {
        name: replace(episode, table=episode.table.rename(moved), trades=episode.trades.replace({"time": moved}))
        for name, episode in outcome.episodes.items()
    }
    write_report(tmp_path / "report.html", replace(outcome, candles=outcome.candles.set_axis(index), episodes=episodes))
    browser.open((tmp_path / "report.html").as_uri())
    assert browser.run("element('candle').textContent") == {"1min": "5 minutes", "1D": "5 days"}[bar]
    assert browser.errors == []


# ---- the table in the terminal


def table_of(outcome, models, width):
    names = ["agent", "buy and hold", "RSI divergence", "SMA crossover", *(f"follows model {k}" for k in range(models))]
    figures = dict.fromkeys(names, outcome.figures["agent"])
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(figures_table(figures, "A title", width))
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for key, value in outcome.figures["agent"].items():
        assert text.count(format_figure(key, value)) >= len(names)
    return text


@pytest.mark.parametrize("models", [0, 8])
def test_the_table_fits_a_terminal_of_80_characters(outcome, models):
    table_of(outcome, models, 80)


def test_a_wider_terminal_holds_more_figures_side_by_side(outcome):
    """A row a strategy for each block of figures."""
    blocks = [table_of(outcome, 8, width).count("RSI divergence") for width in (80, 120, 240)]
    assert blocks == [3, 2, 1]


def test_the_learning_curve_is_titled_for_the_validation_range(outcome, tmp_path):
    """Not for the test range of the title."""
    write_report(tmp_path / "report.html", outcome)
    section = (tmp_path / "report.html").read_text().split("<h2>Learning</h2>")[1].split("</section>")[0]
    assert "BTC/USD, validation range 2016-06-01 to 2016-12-31" in section
    assert "test range" not in section
