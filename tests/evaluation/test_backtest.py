from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import FREE, make_candles, no_features

from agents import BuyAndHold, Flat, RandomTrader, SignalStrategy, StrategySettings
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import (
    AGENT,
    TestLedger,
    backtest,
    draw_net_worth,
    draw_trades,
    in_words,
    log_growth,
    metrics,
    oracle_growth,
    play,
    random_like,
    share_in_words,
)  # fmt: skip
from features import FeaturePipeline
from market import Candles


@pytest.fixture(scope="module")
def part(parts, tmp_path_factory):
    ledger = TestLedger(tmp_path_factory.mktemp("studies") / "ledger.jsonl")
    return parts.open_test(ledger, "config", "a test")


@pytest.fixture(scope="module")
def episodes(parts, part):
    agent = SignalStrategy(np.array([BUY, HOLD, HOLD, SELL, HOLD] * 60))
    features = FeaturePipeline().fit(parts.train.candles)
    return backtest(part, features, EnvSettings(), StrategySettings(sma_short_bars=5, sma_long_bars=20), agent)


def test_everyone_plays_the_same_bars_of_the_test_range(episodes, part):
    assert list(episodes) == [AGENT, "buy and hold", "RSI divergence", "SMA crossover"]
    for episode in episodes.values():
        assert episode.table.index.equals(part.own.index)
        assert len(episode.trades) >= 1


def test_a_replay_of_the_trade_list_in_plain_pandas_gives_the_same_curve(episodes, part):
    for episode in episodes.values():
        sign = np.where(episode.trades["side"] == "buy", 1.0, -1.0)
        cash_flow = -sign * episode.trades["value"] - 0.001 * episode.trades["value"]
        by_bar = pd.DataFrame({"coin": sign * episode.trades["coin"], "cash": cash_flow}).groupby(episode.trades["time"]).sum()
        held = by_bar.reindex(part.own.index).fillna(0.0).cumsum()
        curve = 10_000 + held["cash"] + held["coin"] * part.own.frame["close"]
        np.testing.assert_allclose(curve, episode.table["net_worth"], rtol=1e-9)


def test_the_benchmarks_trade_spot_beside_a_leveraged_agent(parts, part, episodes):
    """A cash account, whole orders, no stops; but the same costs and fills."""
    features = FeaturePipeline().fit(parts.train.candles)
    leveraged = EnvSettings(max_leverage=3.0, shorts=True, stop_loss=0.01, funding_bps_per_day=10.0)
    strategies = StrategySettings(sma_short_bars=5, sma_long_bars=20)
    beside = backtest(part, features, leveraged, strategies, SignalStrategy(np.array([HOLD])))
    for name in list(episodes)[1:]:
        assert beside[name].table.equals(episodes[name].table)


def test_debt_ends_an_episode_and_its_figures_stay_finite():
    class Leverage:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.int64(1), state

    candles = make_candles([100, 100, 10, 10, 10])
    settings = EnvSettings(action_scheme="targets", targets=(0, 5), max_leverage=5.0, **FREE)
    episode = play(candles, no_features(candles), settings, Leverage())
    assert episode.table["net_worth"].iloc[-1] < 0
    assert len(episode.table) == 3
    assert log_growth(episode) == pytest.approx(np.log(1e-9))
    assert metrics(episode)["total_return"] < -1


def test_fills_at_a_known_price_are_marked_wherever_they_show(parts, part, episodes):
    features = FeaturePipeline().fit(parts.train.candles)
    agent = SignalStrategy(np.array([BUY]))
    episode = backtest(part, features, EnvSettings(fill="same_close"), StrategySettings(), agent)[AGENT]
    assert episode.optimistic
    assert not episodes[AGENT].optimistic
    figures = {name: metrics(episode) for name in (AGENT, "buy and hold")}
    assert "OPTIMISTIC" in in_words(figures, part.own.index[0], part.own.index[-1], episode.optimistic)


def test_settings_of_the_benchmarks_reach_them(parts, part, episodes):
    features = FeaturePipeline().fit(parts.train.candles)
    other = backtest(part, features, EnvSettings(), StrategySettings(rsi_lookback_bars=3), SignalStrategy(np.array([HOLD])))
    for name in ("RSI divergence", "SMA crossover"):
        assert len(other[name].trades) != len(episodes[name].trades)


def test_the_words_say_how_the_agent_stands_and_claim_nothing(episodes, part):
    figures = {name: metrics(episode) for name, episode in episodes.items()}
    words = in_words(figures, part.own.index[0], part.own.index[-1])
    hold = 1 + figures["buy and hold"]["total_return"]
    assert f"buy and hold's {hold:.2f}x" in words
    assert ("above buy" in words) == (figures[AGENT]["total_return"] > figures["buy and hold"]["total_return"])
    assert "no evidence of an edge" in words


def test_figures_are_drawn_and_repeat_to_the_byte(episodes, tmp_path):
    for run in ("one", "two"):
        draw_net_worth(episodes, "a title", tmp_path / run / "net_worth.png")
        draw_trades(episodes[AGENT], "a title", tmp_path / run / "trades.png")
    for name in ("net_worth.png", "trades.png"):
        content = (tmp_path / "one" / name).read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert len(content) > 20_000
        assert content == (tmp_path / "two" / name).read_bytes()


def test_no_one_is_ruined_in_a_backtest():
    """Buy and hold sits through a fall of 95 % and back, and is judged at the end."""
    candles = make_candles([100, 100, 5, 5, 150])
    episode = play(candles, no_features(candles), EnvSettings(**FREE), BuyAndHold())
    assert list(episode.table["net_worth"]) == [10_000, 10_000, 500, 500, 15_000]


def test_a_random_trader_like_an_episode_has_its_turnover_and_exposure():
    candles = make_candles(list(100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, 300)))))
    someone = RandomTrader(299, trades=20, bars_held=120, seed=5)
    episode = play(candles, no_features(candles), EnvSettings(min_trade=0), someone)
    for seed in range(3):
        other = play(candles, no_features(candles), EnvSettings(min_trade=0), random_like(episode, seed))
        assert len(other.trades) == 20
        assert (other.table["position"] > 0).sum() == 120
        assert not other.table["position"].equals(episode.table["position"])
    idle = play(candles, no_features(candles), EnvSettings(), Flat())
    assert len(play(candles, no_features(candles), EnvSettings(), random_like(idle, 0)).trades) == 0


def test_the_share_of_the_oracle_is_said_where_there_is_an_oracle(part, parts):
    features = FeaturePipeline().fit(parts.train.candles)
    assert oracle_growth(part, features, EnvSettings()) > 0
    real = replace(part, candles=Candles(part.candles.frame, part.candles.bar, "BTC/USD", "a file"))
    assert oracle_growth(real, features, EnvSettings()) is None
    assert "of its log growth the agent found 50%" in share_in_words(0.1, 0.2)
    assert share_in_words(0.1, None) == ""
    assert "never trades" in share_in_words(-0.1, 0.0)
