"""`net_worth.csv` and `trades.csv`, as people load them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import FREE, make_candles, no_features
from outcomes import make_outcome

from agents import SignalStrategy
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import Episode, metrics, play
from evaluation.report import write_tables
from evaluation.report.csv_columns import net_worth_columns, trade_columns, write_csv
from market import simulate

MARGIN = {
    "action_scheme": "targets", "targets": (-2, -1, 0, 0.5, 1, 3), "shorts": True, "max_leverage": 3.0,
    "borrow_bps_per_day": 50.0, "funding_bps_per_day": -20.0,
}  # fmt: skip
RULES: dict[str, dict] = {
    "a cash account": {"action_scheme": "targets"},
    "shorts and leverage": MARGIN,
    "stops": MARGIN | {"stop_loss": 0.01, "take_profit": 0.02},
    "liquidation": MARGIN | {"max_leverage": 12.0, "targets": (-12, 0, 12), "maintenance_margin": 0.07},
    "fills at the next close": MARGIN | {"fill": "next_close", "stop_loss": 0.02},
    "fills at the known close": MARGIN | {"fill": "same_close"},
    "impact": MARGIN | {"impact": 1.0},
}


class Erratic:
    """Draws an exposure every few bars."""

    def __init__(self, settings: EnvSettings, every: int = 3) -> None:
        self.rng, self.n, self.every = np.random.default_rng(0), len(settings.targets), every
        self.action = np.int64(0)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        if self.rng.integers(self.every) == 0:
            self.action = self.rng.integers(self.n)
        return self.action, state


def erratic(rules: str, bars: int = 400) -> Episode:
    candles, settings = simulate("bitcoin", bars=bars, seed=3), EnvSettings(**RULES[rules])
    return play(candles, no_features(candles), settings, Erratic(settings))


@pytest.fixture(scope="module")
def outcome():
    """With an agent on margin, and one that ends in debt."""
    made = make_outcome(600, seeds=1)
    candles = simulate("bitcoin", bars=600, seed=7)
    settings = EnvSettings(**MARGIN)
    episodes = made.episodes | {"agent": play(candles, no_features(candles), settings, Erratic(settings))}
    short = made.episodes["buy and hold"]
    return replace(made, episodes=episodes | {"agent, walk-forward": replace(short, table=short.table.iloc[:500])})


@pytest.fixture(scope="module")
def folder(outcome, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    write_tables(place, outcome)
    return place


def test_the_net_worth_loads_in_one_line_and_its_returns_and_costs_add_up(folder, outcome):
    """The costs a second time: from the fills, the opens they filled around and, bar by bar, what was borrowed and funded."""
    table = pd.read_csv(folder / "net_worth.csv", index_col="time", parse_dates=True)

    assert (table.index.name, str(table.index.dtype)) == ("time", "datetime64[us, UTC]")
    assert list(table.index) == list(outcome.candles.index)
    assert list(pd.to_datetime(table["close_time"])) == [opens + pd.Timedelta("1h") for opens in outcome.candles.index]
    np.testing.assert_allclose(table["price"], outcome.candles["close"], rtol=1e-15)
    assert list(table)[:6] == ["close_time", "price", "position", "net_worth", "return", "costs"]
    for strategy, episode in outcome.episodes.items():
        of = "" if strategy == "agent" else f": {strategy}"
        position, worth, returns, costs = (table[f"{name}{of}"] for name in ("position", "net_worth", "return", "costs"))
        bars = len(episode.table)
        assert worth[bars:].isna().all()
        np.testing.assert_allclose(worth[:bars], episode.table["net_worth"], rtol=1e-15)
        np.testing.assert_allclose(position[:bars], episode.table["position"], rtol=1e-14)
        assert (returns.iloc[0], costs.iloc[0], worth.iloc[0]) == (0.0, 0.0, 10_000.0)
        np.testing.assert_allclose((1 + returns[:bars]).cumprod(), worth[:bars] / 10_000, rtol=1e-9)
        expected = costs_again(episode, outcome.candles["open"], MARGIN if strategy == "agent" else {})
        np.testing.assert_allclose(costs[:bars], expected, atol=1e-9 * costs.sum())
        fees = metrics(episode)["fees_paid"]
        assert fees is not None
        assert costs.sum() > fees or strategy == "flat"


def costs_again(episode: Episode, opens: pd.Series, rules: dict) -> pd.Series:
    trades, table = episode.trades, episode.table
    around = opens.loc[trades["time"]].to_numpy()
    paid = (trades["fee"] + (trades["price"] - around).abs() * trades["coin"]).groupby(trades["time"].to_numpy()).sum()
    costs = paid.reindex(table.index).fillna(0.0)
    if rules:
        day = 1 / 24 / 1e4
        coin = (trades["coin"] * np.where(trades["side"] == "buy", 1, -1)).groupby(trades["time"].to_numpy()).sum()
        held = coin.reindex(table.index).fillna(0.0).cumsum() * table["close"]
        # Interest is on what is owed before it is paid, and worth = held - owed - interest - funding.
        funding = held * rules["funding_bps_per_day"] * day
        rate = rules["borrow_bps_per_day"] * day
        owed = ((held - table["net_worth"] - funding) / (1 + rate)).clip(lower=0.0) + (-held).clip(lower=0.0)
        costs += owed * rate + funding
    return costs


@pytest.mark.parametrize("rules", RULES)
def test_the_profits_of_the_round_trips_add_up_to_the_change_of_the_net_worth(rules, tmp_path):
    """Those up to any moment at which nothing is held, too: interest and funding are borne by the position that owed them."""
    episode = erratic(rules)
    write_csv(tmp_path / "trades.csv", trade_columns(episode))

    trades = pd.read_csv(tmp_path / "trades.csv", parse_dates=["time"])

    worth = episode.table["net_worth"]
    made = trades["profit"].fillna(0.0).cumsum()
    scale = worth.abs().max()
    assert made.iloc[-1] == pytest.approx(worth.iloc[-1] - worth.iloc[0], abs=1e-9 * scale)
    position = episode.table["position"].loc[trades["time"]].to_numpy()
    flat = (position == 0.0) & (trades["time"] != trades["time"].shift(-1)) & (trades["net_worth"] > 0)
    assert flat.sum() > 5 or rules == "liquidation"
    np.testing.assert_allclose(made[flat], trades["net_worth"][flat] - worth.iloc[0], atol=1e-9 * scale)
    np.testing.assert_allclose(trades["net_worth"], worth.loc[trades["time"]], rtol=1e-14)
    filled = trades["reason"] != "still open"
    fills = trades[filled].drop(columns=["holding", "profit", "return", "duration_bars", "duration_hours", "net_worth"])
    pd.testing.assert_frame_equal(fills, episode.trades, check_exact=False, rtol=1e-14, check_dtype=False)
    closed = trades.loc[filled, "profit"].dropna()
    assert metrics(episode)["win_rate"] == pytest.approx((closed > 0).mean())
    kinds = {"stops": "stop-loss", "liquidation": "liquidation"}
    assert kinds.get(rules, "order") in set(trades["reason"])


def test_a_trade_list_by_hand(tmp_path):
    """Two purchases at 100 and 200, sold in two parts; then one that is still held; all at a fee of 1 %."""
    candles = make_candles([100, 100, 200, 300, 300, 150, 180, 240])
    settings = EnvSettings(**FREE | {"fee_bps": 100.0, "min_trade": 0.0})
    half, whole = 1, 0  # of the cash, or of the coin
    orders = [4 * BUY + half, 4 * BUY + whole, 4 * SELL + half, 4 * SELL + whole, 4 * HOLD, 4 * BUY + whole, 4 * HOLD]

    class Orders:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            bar = state or 0
            return np.int64(orders[bar]), bar + 1

    episode = play(candles, no_features(candles), settings, Orders())
    write_csv(tmp_path / "trades.csv", trade_columns(episode))
    trades = pd.read_csv(tmp_path / "trades.csv", parse_dates=["time"])
    opens = candles.column("open")
    first, second = 5_000 / 1.01 / opens[1], 5_000 / 1.01 / opens[2]
    cost = 10_000 / (first + second)  # a coin, with its fee
    coin = (first + second) / 2
    profits = [coin * (opens[3] * 0.99 - cost), coin * (opens[4] * 0.99 - cost)]
    cash = 10_000 + sum(profits)
    left = cash / 1.01 / opens[6] * 240 - cash

    assert list(trades["reason"]) == ["order"] * 5 + ["still open"]
    assert list(trades["side"].fillna("")) == ["buy", "buy", "sell", "sell", "buy", ""]
    np.testing.assert_allclose(trades["profit"], [np.nan, np.nan, *profits, np.nan, left], rtol=1e-9)
    np.testing.assert_allclose(trades["return"].dropna(), [2 * profits[0] / 10_000, 2 * profits[1] / 10_000, left / cash])
    assert list(trades["holding"]) == [1, 1, 1, 1, 2, 2]
    assert list(trades["duration_bars"].dropna()) == [2, 3, 1]
    assert list(trades["duration_hours"].dropna()) == [2, 3, 1]
    assert list(trades["coin"] == 0) == [False] * 5 + [True]
    np.testing.assert_allclose(trades["net_worth"].iloc[[3, 4, 5]], [cash, cash / 1.01 / opens[6] * 180, cash + left])


def test_a_fill_that_turns_a_position_counts_to_the_one_that_it_closes(tmp_path):
    episode = erratic("shorts and leverage")
    trades = pd.DataFrame(trade_columns(episode))
    sign = np.where(trades["side"] == "buy", 1.0, -1.0)
    held = (sign * trades["coin"]).cumsum().round(9)
    turned = held * held.shift(fill_value=0.0) < 0
    assert turned.sum() > 5
    assert trades.loc[turned, "profit"].notna().all()
    begins = (held.shift(fill_value=0.0) == 0) | turned.shift(fill_value=False)  # the first fill of a holding
    assert (trades["holding"].diff().fillna(1) == begins.astype(int)).all()


@pytest.mark.parametrize("sides", [[HOLD], [BUY, HOLD]])
def test_without_a_trade_or_a_sale_there_is_a_file_all_the_same(sides, tmp_path):
    candles = make_candles([100, 100, 130])
    episode = play(candles, no_features(candles), EnvSettings(), SignalStrategy(np.array(sides)))
    write_csv(tmp_path / "trades.csv", trade_columns(episode))
    trades = pd.read_csv(tmp_path / "trades.csv")
    assert list(trades["reason"]) == ([] if sides == [HOLD] else ["order", "still open"])
    assert list(trades)[:9] == ["time", "reason", "side", "coin", "price", "value", "fee", "holding", "profit"]


def test_quantstats_reads_the_returns_in_one_line_and_finds_our_figures(folder, outcome):
    qs = pytest.importorskip("quantstats", reason="quantstats is not installed; it comes with the extra `dev`")
    agent, hold = (metrics(outcome.episodes[name]) for name in ("agent", "buy and hold"))

    worth = pd.read_csv(folder / "net_worth.csv", index_col="time", parse_dates=True).tz_localize(None)

    assert qs.stats.sharpe(worth["return"], periods=8766) == pytest.approx(agent["sharpe"], rel=1e-2)
    assert "Sharpe" in qs.reports.metrics(worth["return"], worth["return: buy and hold"], periods_per_year=8766, display=False).T
    bars = worth.iloc[1:]  # ours has no return in the first row, where an episode begins
    for of, ours in (("", agent), (": buy and hold", hold)):
        returns = bars[f"return{of}"]
        assert qs.stats.sharpe(returns, periods=8766) == pytest.approx(ours["sharpe"], rel=1e-9)
        assert qs.stats.sortino(returns, periods=8766) == pytest.approx(ours["sortino"], rel=1e-9)
        assert qs.stats.volatility(returns, periods=8766) == pytest.approx(ours["volatility"], rel=1e-9)
        assert qs.stats.max_drawdown(returns) == pytest.approx(ours["max_drawdown"], rel=1e-9)
        assert qs.stats.comp(returns) == pytest.approx(ours["total_return"], rel=1e-9)


def test_a_month_closes_at_its_end(outcome):
    opens = pd.date_range("2020-01-01", periods=len(outcome.candles), freq="MS", tz="UTC", name="time")
    monthly = replace(outcome, candles=outcome.candles.set_axis(opens), ends=opens + pd.offsets.MonthBegin())
    columns = net_worth_columns(monthly)
    assert (columns["time"][1], columns["close_time"][1]) == ("2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z")
