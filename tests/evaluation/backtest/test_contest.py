import io
import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import FREE, make_candles, no_features
from rich.console import Console

import backtest as backtest_script
from agents import STRATEGIES, BuyAndHold, Flat, RandomTrader, SignalStrategy, StrategySettings
from common import InputError
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import play, play_on
from evaluation.backtest import AGENT, Contest, TrainedRun, as_json, conclude, in_words, random_like, share_in_words
from evaluation.report import png_figures
from evaluation.statistics import log_growth, metrics
from features import FeaturePipeline
from market import Candles, OpeningLedger


@pytest.fixture(scope="module")
def part(parts, tmp_path_factory):
    ledger = OpeningLedger(tmp_path_factory.mktemp("studies") / "ledger.jsonl")
    return parts.open_test(ledger, "config", "a test")


BENCHMARKS = [
    "buy and hold", "buy and hold, same exposure", "RSI divergence", "SMA crossover", "flat", "random, same turnover",
    "perfect foresight",
]  # fmt: skip
FOLLOW_THE_AGENT = ["buy and hold, same exposure", "random, same turnover"]


@pytest.fixture(scope="module")
def features(parts):
    return FeaturePipeline().fit(parts.train.candles)


@pytest.fixture(scope="module")
def contest_of(features, part):
    """Makes the contest of an agent on the test range."""
    strategies = StrategySettings(sma_short_bars=5, sma_long_bars=20)

    def make(agent, env=None, seeds=None):
        return Contest.on(part, features, env or EnvSettings(), strategies, {AGENT: agent, **(seeds or {})})

    return make


@pytest.fixture(scope="module")
def episodes(features, part):
    agent = SignalStrategy(np.array([BUY, HOLD, HOLD, SELL, HOLD] * 60))
    return episodes_of(part, features, EnvSettings(), StrategySettings(sma_short_bars=5, sma_long_bars=20), agent)


def episodes_of(part, features, env, benchmarks, agent):
    return Contest.on(part, features, env, benchmarks, {AGENT: agent}).play().episodes


def test_everyone_plays_the_same_bars_of_the_test_range(episodes, part):
    assert list(episodes) == [AGENT, *BENCHMARKS]
    for name, episode in episodes.items():
        assert episode.table.index.equals(part.own.index)
        assert (len(episode.trades) >= 1) is (name != "flat")


def replayed(episode, settings):
    """The curve from the trade list alone, in plain pandas and Python: cash and coin after each bar's fills, less its carry."""
    a_bar = 1 / 24 / 1e4
    trades = episode.trades.assign(sign=np.where(episode.trades["side"] == "buy", 1.0, -1.0))
    trades["cash"] = -trades["sign"] * trades["coin"] * trades["price"] - trades["fee"]
    trades["coin"] *= trades["sign"]
    flows = trades.groupby("time")[["cash", "coin"]].sum().reindex(episode.table.index).fillna(0.0)
    cash, coin, curve = settings.initial_cash, 0.0, []
    for close, flow in zip(episode.table["close"], flows.itertuples(), strict=True):
        cash, coin = cash + flow.cash, coin + flow.coin
        if settings.margin:
            cash -= (max(-cash, 0.0) + max(-coin, 0.0) * close) * settings.borrow_bps_per_day * a_bar
            cash -= coin * close * settings.funding_bps_per_day * a_bar
        curve.append(cash + coin * close)
    return np.array(curve)


def require_a_replay(episode, settings):
    """The list's own fees make the curve; they are the settings' share of each value, and add up to the table's."""
    np.testing.assert_allclose(replayed(episode, settings), episode.table["net_worth"], rtol=1e-9)
    trades = episode.trades
    np.testing.assert_allclose(trades["value"], trades["coin"] * trades["price"], rtol=1e-12)
    np.testing.assert_allclose(trades["fee"], trades["value"] * settings.fee_bps / 1e4, rtol=1e-12)
    paid = trades.groupby("time")["fee"].sum().reindex(episode.table.index).fillna(0.0).cumsum()
    np.testing.assert_allclose(episode.table["fees"], paid, rtol=1e-9)


def test_a_replay_of_the_trade_list_gives_the_same_curve_for_everyone(episodes, part):
    assert sum(len(episode.trades) for episode in episodes.values()) > 100
    for episode in episodes.values():
        np.testing.assert_array_equal(episode.table["close"], part.own.column("close"))
        require_a_replay(episode, EnvSettings())


@pytest.mark.parametrize("options", [{}, {"stop_loss": 0.01, "take_profit": 0.02}, {"fill": "same_close"}, {"impact": 1.0}])
def test_a_replay_of_the_trade_list_gives_the_same_curve_with_shorts_leverage_interest_and_funding(options, part):
    """The list holds forced fills, too; what is borrowed and funded follows from the positions, bar by bar.

    An order at a next close fills after the bar's carry, which the list cannot tell from a stop before it: left out here.
    """
    settings = EnvSettings(
        action_scheme="targets", targets=(-2, -1, 0, 1, 3), shorts=True, max_leverage=3.0, borrow_bps_per_day=50.0,
        funding_bps_per_day=-20.0, **options,
    )  # fmt: skip

    class Erratic:
        rng = np.random.default_rng(0)

        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return self.rng.integers(5), state

    episode = play(part.candles, np.zeros((len(part), 1), np.float32), settings, Erratic())
    assert len(episode.trades) > 100
    assert episode.table["position"].min() < -1.5
    assert (episode.trades["reason"] != "order").any() or "stop_loss" not in options
    require_a_replay(episode, settings)


def test_buy_and_hold_at_the_same_exposure_has_the_agents_mean_exposure_and_one_fill(episodes):
    same, agent = episodes["buy and hold, same exposure"], episodes[AGENT]
    assert same.table["position"].iloc[1:].mean() == pytest.approx(agent.table["position"].iloc[1:].mean(), abs=1e-6)
    assert len(same.trades) == 1
    assert same.table["net_worth"].iloc[0] == 10_000
    share = same.trades["value"].iloc[0] / episodes["buy and hold"].trades["value"].iloc[0]
    made, whole = (each.table["net_worth"].iloc[-1] / 10_000 - 1 for each in (same, episodes["buy and hold"]))
    assert made == pytest.approx(share * whole)


@pytest.mark.parametrize(("sides", "fills"), [([HOLD], 0), ([BUY, HOLD], 1)])
def test_an_agent_that_never_trades_or_never_sells_is_matched_by_its_like(sides, fills, contest_of):
    played = contest_of(SignalStrategy(np.array(sides))).play().episodes
    same = played["buy and hold, same exposure"]
    assert len(same.trades) == fills
    assert same.table.equals(played["flat" if fills == 0 else "buy and hold"].table)


def test_who_could_not_trade_is_named_and_the_same_exposure_is_the_markets(contest_of, features, tmp_path, monkeypatch):
    """Buy and hold cannot pay for a lot at the first bar; half of the cash never buys one."""
    trader = SignalStrategy(np.array([HOLD, BUY, HOLD, SELL] * 60))
    free = contest_of(trader).play().episodes
    dear = contest_of(trader, EnvSettings(min_trade=0.0, lot=1e6))
    played = dear.play()
    assert set(played.unable) == {AGENT, *BENCHMARKS} - {"buy and hold, same exposure", "flat"} - idle(played)
    assert played.unable["buy and hold"] == "1 order refused: below one lot"

    outcome = conclude(dear, TrainedRun(tmp_path, dear.agents, features, {}, 0, None, None), openings=1, bootstrap=False)
    assert "COULD NOT TRADE: buy and hold, 1 order refused: below one lot." in outcome.notes
    assert as_json(outcome)["could_not_trade"] == played.unable
    assert outcome.verdict.rule == "no trade"
    assert outcome.verdict.reasons[2].startswith("Buy and hold could not trade (below one lot)")
    monkeypatch.setattr("evaluation.draw_figures", lambda *given: [])
    terminal = io.StringIO()
    monkeypatch.setattr(backtest_script, "CONSOLE", Console(file=terminal, width=500))
    backtest_script.write(tmp_path, outcome, {})
    assert "buy and hold (could not trade)" in terminal.getvalue()
    assert "buy and hold (could not trade)" in (tmp_path / "report.html").read_text()

    half = contest_of(trader, EnvSettings(lot=0.6 * 10_000 / free[AGENT].table["close"].iloc[0])).play()
    assert "buy and hold" not in half.unable
    same, agent = (half.episodes[name].table["position"].iloc[1:] for name in ("buy and hold, same exposure", AGENT))
    assert same.mean() == pytest.approx(agent.mean(), abs=1e-6)
    assert len(half.episodes["buy and hold, same exposure"].trades) == 1


def idle(played):
    """Those that ordered nothing."""
    return {name for name, episode in played.episodes.items() if not len(episode.trades) and not episode.refused}


def test_orders_that_some_rule_refused_are_counted_in_a_line(contest_of, features, tmp_path):
    contest = contest_of(SignalStrategy(np.array([BUY, SELL] * 10)), EnvSettings(min_trade=9_980.0))
    outcome = conclude(contest, TrainedRun(tmp_path, contest.agents, features, {}, 0, None, None), openings=1, bootstrap=False)
    line = next(note for note in outcome.notes if "refused" in note)
    refused = outcome.episodes[AGENT].refused["below min_trade"]
    assert line.startswith(f"Orders that were refused: {AGENT} {refused} (below min_trade)")
    assert "COULD NOT TRADE" not in line


def test_the_same_exposure_of_an_agent_that_is_short_is_cash_and_that_is_said(contest_of, features, tmp_path):
    settings = EnvSettings(action_scheme="targets", targets=(-1.0, 0.0), shorts=True)

    class Short:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.int64(0), state

    def notes_of(agent, env=None):
        contest = contest_of(agent, env)
        outcome = conclude(
            contest, TrainedRun(tmp_path, contest.agents, features, {}, 0, None, None), openings=1, bootstrap=False
        )
        return " ".join(outcome.notes)

    assert "buy and hold, same exposure: stays in cash, since the agent's mean exposure was -1" in notes_of(Short(), settings)
    assert "stays in cash" not in notes_of(SignalStrategy(np.array([BUY, HOLD])))


def test_nobody_without_a_short_or_a_loan_ends_above_perfect_foresight(episodes):
    worth = {name: episode.table["net_worth"].iloc[-1] for name, episode in episodes.items()}
    assert max(worth, key=lambda name: worth[name]) == "perfect foresight"
    assert worth["flat"] == 10_000


def test_seeds_play_beside_their_agent(contest_of):
    seeds = {"seed 0": SignalStrategy(np.array([BUY, HOLD])), "seed 1": SignalStrategy(np.array([HOLD]))}
    played = contest_of(SignalStrategy(np.array([BUY, SELL])), seeds=seeds).play().episodes
    assert list(played)[:4] == [AGENT, "seed 0", "seed 1", "buy and hold"]
    assert played["seed 0"].table.equals(played["buy and hold"].table)
    assert played["seed 1"].table.equals(played["flat"].table)


def test_at_other_fees_everyone_plays_anew(contest_of):
    """Where the fee is the same, so are the returns; who decides by the costs decides otherwise; spread and slippage stay."""
    contest = contest_of(SignalStrategy(np.array([BUY, HOLD, HOLD, SELL, HOLD] * 60)))
    played = contest.play()
    episodes, costs = played.episodes, played.costs
    assert list(costs.columns) == [0.0, 1.0, 2.0, 4.0]
    assert list(costs.index) == list(episodes)
    for name, episode in episodes.items():
        assert costs.loc[name, 1.0] == metrics(episode)["total_return"]
    for multiple in (0.0, 2.0, 4.0):
        at = backtest_at(contest, fee_bps=10.0 * multiple)
        for name in episodes:
            assert costs.loc[name, multiple] == metrics(at[name])["total_return"]
    for name in (AGENT, "buy and hold", "perfect foresight"):
        assert (np.diff(costs.loc[name]) < 0).all()
    assert (costs.loc["flat"] == 0).all()
    assert costs.loc["buy and hold", 0.0] < contest.bars.column("close")[-1] / contest.bars.column("open")[1] - 1  # the spread
    assert len(backtest_at(contest, fee_bps=40.0)["perfect foresight"].trades) < len(episodes["perfect foresight"].trades)


def backtest_at(contest, **costs):
    return replace(contest, env=contest.env.model_copy(update=costs)).play().episodes


def test_a_fee_that_no_account_could_pay_has_no_return(contest_of):
    contest = contest_of(SignalStrategy(np.array([HOLD])), EnvSettings(fee_bps=4_000.0, max_leverage=1.0))
    costs = contest.play().costs
    assert costs[4.0].isna().all()
    assert costs[1.0].notna().all()


def test_the_share_of_random_traders_below_knows_the_best_from_the_worst(contest_of):
    contest = contest_of(SignalStrategy(np.array([HOLD])))
    best = contest.play().episodes["perfect foresight"]

    def share_below(agent):
        return replace(contest, agents={AGENT: agent}).play().share_below

    assert share_below(sides_of(contest, best)) == 1.0
    assert share_below(sides_of(contest, best, opposite=True)) == 0.0
    assert 0.0 < share_below(random_like(best, 999)) < 1.0


def test_the_random_traders_are_those_of_the_first_seeds(contest_of):
    """So the share below is the same each time, and anybody can play them again."""
    contest = contest_of(SignalStrategy(np.array([BUY, HOLD, SELL, HOLD] * 60)))
    played = contest.play()
    agent = played.episodes[AGENT]
    traders = [play_on(contest.stage, contest.env, random_like(agent, seed)) for seed in range(200)]
    below = [trader.table["net_worth"].iloc[-1] < agent.table["net_worth"].iloc[-1] for trader in traders]
    assert played.share_below == np.mean(below)
    assert 0 < played.share_below < 1
    assert played.episodes["random, same turnover"].table.equals(traders[0].table)


def sides_of(contest, episode, opposite=False):
    """Holds when the episode does, or when it does not."""
    held = (episode.table["position"].to_numpy()[1:] > 0) != opposite
    change = np.diff(held.astype(int), prepend=0)
    return SignalStrategy(np.select([change > 0, change < 0], [BUY, SELL], HOLD))


def test_the_benchmarks_trade_spot_beside_a_leveraged_agent(features, part, episodes):
    """A cash account, whole orders, no stops; but the same costs and fills."""
    leveraged = EnvSettings(max_leverage=3.0, shorts=True, stop_loss=0.01, funding_bps_per_day=10.0)
    strategies = StrategySettings(sma_short_bars=5, sma_long_bars=20)
    beside = episodes_of(part, features, leveraged, strategies, SignalStrategy(np.array([HOLD])))
    for name in set(BENCHMARKS) - set(FOLLOW_THE_AGENT):
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
    lost = metrics(episode)["total_return"]
    assert lost is not None
    assert lost < -1


@pytest.mark.parametrize(("fill", "marked"), [("same_close", True), ("next_open", False), ("next_close", False)])
def test_fills_at_a_known_price_are_marked_wherever_they_show(fill, marked, contest_of, features, tmp_path, monkeypatch):
    """In the numbers, the verdict, the notes, the page, every picture, and what the terminal and `metrics.json` say."""
    contest = contest_of(SignalStrategy(np.array([BUY, SELL] * 10)), EnvSettings(fill=fill))
    trained = TrainedRun(tmp_path, contest.agents, features, {}, 0, None, None)
    outcome = conclude(contest, trained, openings=1, bootstrap=False)
    assert {episode.optimistic for episode in outcome.episodes.values()} == {marked}
    assert ("at a price that was known when they were decided" in outcome.verdict.reasons[0]) is marked
    assert (outcome.verdict.rule == "fills at a known price") is marked
    assert ("OPTIMISTIC" in outcome.notes[0]) is marked

    monkeypatch.setattr("evaluation.draw_figures", lambda *given: [])  # the pictures' titles are read below
    terminal = io.StringIO()
    monkeypatch.setattr(backtest_script, "CONSOLE", Console(file=terminal, width=500))
    backtest_script.write(tmp_path, outcome, {})
    assert json.loads((tmp_path / "metrics.json").read_text())["optimistic"] is marked
    assert ("OPTIMISTIC" in terminal.getvalue().splitlines()[0]) is marked
    page = (tmp_path / "report.html").read_text()
    top = page[page.index("<h1>") : page.index('class="verdict')]
    assert ("OPTIMISTIC fills" in top) is marked
    for draw in (png_figures.net_worth, png_figures.trades, png_figures.drawdown, png_figures.exposure, png_figures.monthly,
                 png_figures.distribution, png_figures.costs):  # fmt: skip
        assert ("OPTIMISTIC" in draw(outcome).axes[0].get_title("left")) is marked, draw.__name__


def test_settings_of_the_benchmarks_reach_them(features, part, episodes):
    other = episodes_of(part, features, EnvSettings(), StrategySettings(rsi_lookback_bars=3), SignalStrategy(np.array([HOLD])))
    for name in ("RSI divergence", "SMA crossover"):
        assert len(other[name].trades) != len(episodes[name].trades)


def test_the_words_say_how_the_agent_stands_and_claim_nothing(episodes):
    figures = {name: metrics(episode) for name, episode in episodes.items()}
    words = in_words(figures, (), 0.25)
    made, held = figures[AGENT]["total_return"], figures["buy and hold"]["total_return"]
    assert made is not None
    assert held is not None
    assert f"buy and hold's {1 + held:.2f}x" in words
    assert ("above buy" in words) == (made > held)
    assert "of 6 others, and above 25% of 200 random traders" in words  # perfect foresight is no rival
    assert "of 5 others" in in_words(figures, ("SMA crossover",), 0.25)  # nor is a seed of the agent


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


def test_the_share_of_the_oracle_is_said_where_there_is_an_oracle(part, features):
    real = replace(part, candles=Candles(part.candles.frame, part.candles.bar, "BTC/USD", "a file"))
    known, unknown = (
        Contest.on(each, features, EnvSettings(), StrategySettings(), {AGENT: SignalStrategy(np.array([HOLD]))}).play()
        for each in (part, real)
    )
    assert known.oracle_growth is not None
    assert known.oracle_growth > 0
    assert unknown.oracle_growth is None
    assert "of its log growth the agent found 50%" in share_in_words(0.1, 0.2)
    assert share_in_words(0.1, None) == ""
    assert "never trades" in share_in_words(-0.1, 0.0)


@pytest.mark.parametrize("name", [AGENT, "buy and hold", "perfect foresight", "seed 0"])
def test_a_strategy_of_a_plugin_takes_nobodys_place(name, contest_of, monkeypatch):
    monkeypatch.setitem(STRATEGIES, name, lambda candles, start, settings: SignalStrategy(np.array([BUY])))
    with pytest.raises(InputError, match=f"a strategy needs a name of its own, but there is '{name}' already"):
        contest_of(SignalStrategy(np.array([HOLD])), seeds={"seed 0": SignalStrategy(np.array([HOLD]))})
