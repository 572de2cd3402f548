import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from gymnasium.wrappers import AddRenderObservation
from helpers import make_candles, no_features
from matplotlib.backends.backend_agg import FigureCanvasAgg

from common import InputError
from envs import BitcoinTradingEnv, EnvSettings
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=200, seed=5)
BARS = len(CANDLES)
BUY, SELL, HOLD = 0, 4, 8


def make(mode="rgb_array", candles=CANDLES, benchmarks=None, **options):
    env = BitcoinTradingEnv(
        candles, no_features(candles), EnvSettings(**options), evaluation=True, render_mode=mode, benchmarks=benchmarks
    )
    env.reset(seed=0)
    return env


def after(env, actions):
    for action in actions:
        env.step(action)
    return env


@pytest.fixture
def agg():
    matplotlib.use("Agg")
    yield
    plt.close("all")


@pytest.fixture
def drawn(agg, monkeypatch):
    """A list that grows by one with each picture."""
    pictures, draw = [], FigureCanvasAgg.draw

    def keep_and_draw(canvas):
        pictures.append(canvas)
        draw(canvas)

    monkeypatch.setattr(FigureCanvasAgg, "draw", keep_and_draw)
    return pictures


def test_a_picture_is_uint8_of_one_shape_and_shows_a_trade():
    traded, idle = make(), make()
    start = traded.render()
    assert (start.shape, start.dtype) == ((660, 1100, 3), np.uint8)
    before = start.copy()
    later = after(traded, [BUY, HOLD]).render()
    assert later.shape == start.shape
    assert (later != after(idle, [HOLD, HOLD]).render()).any()
    np.testing.assert_array_equal(start, before)  # each picture is its own
    np.testing.assert_array_equal(later, traded.render())


@pytest.mark.parametrize("bar", [0, 30])
def test_changing_the_future_changes_no_pixel(bar):
    frame = CANDLES.frame.copy()
    frame.iloc[bar + 1 :] *= 3
    changed = Candles(frame, CANDLES.bar, CANDLES.symbol, "another future")
    actions = [BUY, HOLD, SELL] * 10
    pictures = [after(make(candles=candles), actions[:bar]).render() for candles in (CANDLES, changed)]
    np.testing.assert_array_equal(*pictures)


def test_the_picture_ends_at_the_current_bar():
    env = after(make(), [BUY, HOLD, HOLD])
    scene = env._film.scene()
    np.testing.assert_array_equal(scene.close, CANDLES.column("close")[:4])
    assert [len(scene.times)] + [len(worth) for worth in scene.net_worth.values()] == [4, 4, 4]


def test_an_episode_in_the_middle_begins_and_ends_where_it_is():
    env = BitcoinTradingEnv(CANDLES, no_features(CANDLES), EnvSettings(episode_bars=20), render_mode="rgb_array")
    _, info = env.reset(seed=3)
    assert info["bar"] > 0
    for _ in range(2):
        scene = after(env, [BUY, HOLD])._film.scene()
        np.testing.assert_array_equal(scene.close, CANDLES.column("close")[info["bar"] :][:3])
        assert scene.net_worth["buy and hold"][-1] == env.trading.accounts.net_worth[0]
        assert len(scene.fills["buy"]) == 1
        _, info = env.reset()


def test_buy_and_hold_is_what_the_env_makes_of_it():
    env, played = make(), make(mode=None)
    worths = [10_000.0] + [played.step(order)[-1]["net_worth"] for order in [BUY] + [HOLD] * 60]
    scene = after(env, [HOLD] * 61)._film.scene()
    np.testing.assert_allclose(scene.net_worth["buy and hold"], worths, rtol=1e-12)


def test_benchmarks_trade_their_orders_spot_under_the_same_costs():
    orders = np.random.default_rng(0).integers(0, 12, BARS)
    rules = {"fee_bps": 30.0, "impact": 1.0, "fill": "next_close", "initial_cash": 500.0}
    played = make(mode=None, **rules)
    worths = [500.0] + [played.step(int(order))[-1]["net_worth"] for order in orders[:80]]
    env = make(benchmarks={"random": orders}, action_scheme="continuous", shorts=True, max_leverage=3, stop_loss=0.01, **rules)
    scene = after(env, np.zeros((80, 1), np.float32))._film.scene()
    assert list(scene.net_worth) == ["agent", "random"]
    np.testing.assert_allclose(scene.net_worth["random"], worths, rtol=1e-12)


def test_a_ruined_benchmark_is_judged_at_the_end_like_everyone():
    candles = make_candles([100, 100, 5, 100, 100])
    scene = after(make(candles=candles), [HOLD] * 4)._film.scene()
    assert scene.net_worth["buy and hold"][2] < 1_000
    assert scene.net_worth["buy and hold"][-1] == pytest.approx(10_000, rel=0.01)


def test_several_series_are_each_drawn_with_buy_and_hold():
    series = [CANDLES[:50], CANDLES[100:160]]
    env = BitcoinTradingEnv(series, [no_features(one) for one in series], evaluation=True, render_mode="rgb_array")
    for one in series:
        env.reset(seed=None)
        scene = after(env, [BUY, HOLD])._film.scene()
        np.testing.assert_array_equal(scene.close, one.column("close")[:3])
        np.testing.assert_array_equal(scene.net_worth["agent"], scene.net_worth["buy and hold"])
    with pytest.raises(InputError, match="orders on one series, but got 2"):
        BitcoinTradingEnv(series, [no_features(one) for one in series], benchmarks={"none": np.zeros(50, np.int64)})


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        (np.zeros(BARS - 1, np.int64), rf"'mine' must be int64 of shape \({BARS},\).*got int64 of shape \({BARS - 1},\)"),
        (np.zeros((BARS, 1), np.int64), "got int64 of shape"),
        (np.zeros(BARS), "got float64"),
        (np.full(BARS, 12), "order from 0 to 11 for each bar, but bar 0 has 12"),
        (np.arange(BARS) - BARS + 1, "but bar 0 has"),
    ],
)
@pytest.mark.parametrize("mode", [None, "rgb_array"])
def test_wrong_benchmarks_get_one_line(mode, orders, message):
    with pytest.raises(InputError, match=message) as caught:
        make(mode=mode, benchmarks={"mine": orders})
    assert "\n" not in str(caught.value)


def test_a_benchmark_cannot_take_the_name_of_the_account():
    with pytest.raises(InputError, match="named 'agent'"):
        make(benchmarks={"agent": np.zeros(BARS, np.int64)})


def test_any_number_of_benchmarks_is_drawn_and_labelled():
    for n in (0, 9):
        env = make(benchmarks={f"_{i}": np.zeros(BARS, np.int64) for i in range(n)})
        after(env, [HOLD] * 3).render()
        labels = [text.get_text() for text in env._film._screen.chart.worth.get_legend().get_texts()]
        assert labels[0] == "agent 1.00x"
        assert len(labels) == n + 1


def test_fills_are_marked_by_what_made_them():
    candles = make_candles([100, 100, 100, 90, 90, 90, 110])
    env = make(candles=candles, max_leverage=5, stop_loss=0.05, take_profit=0.15)
    after(env, [BUY, SELL, BUY, HOLD, BUY, HOLD])
    env.render()
    labels = [text.get_text() for text in env._film._screen.chart.price.get_legend().get_texts()]
    assert labels == ["close", "buy (3)", "sell (1)", "stop-loss (1)", "take-profit (1)", "liquidation (0)"]


def test_a_fill_stands_at_its_price_and_bar():
    env = make()
    info = after(env, [HOLD]).step(BUY)[-1]
    scene = env._film.scene()
    assert scene.fills["buy"] == [(scene.times[-1], info["fill_price"])]


def test_the_title_says_what_is_known_and_what_is_optimistic():
    for fill, warning in (("next_open", ""), ("same_close", "optimistic: fills at a known price")):
        env = after(make(fill=fill), [BUY])
        env.render()
        chart = env._film._screen.chart
        assert chart.title.get_text() == "BTC/USD   2017-01-01 01:00 UTC   position 100%   filled"
        assert chart.warning.get_text() == warning


def test_a_human_sees_each_bar_without_asking(drawn):
    env = make("human")
    assert len(drawn) == 1
    after(env, [BUY, HOLD])
    assert len(drawn) == 3
    assert env.render() is None
    assert len(drawn) == 3
    env.reset()
    assert len(drawn) == 4
    assert len(plt.get_fignums()) == 1


def test_a_live_window_keeps_its_pace(agg, monkeypatch):
    waits = []
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "any")
    monkeypatch.setattr(FigureCanvasAgg, "start_event_loop", lambda canvas, timeout: waits.append(timeout))
    monkeypatch.setitem(BitcoinTradingEnv.metadata, "render_fps", 0.1)
    after(make("human"), [HOLD, HOLD])
    assert waits[0] < 0.1
    assert all(5 < wait <= 10 for wait in waits[1:])


def test_without_a_display_it_says_what_to_do(agg, monkeypatch):
    monkeypatch.setattr(matplotlib, "get_backend", lambda auto_select=True: "agg" if auto_select else None)
    with pytest.warns(UserWarning, match="no display.*use render_mode='rgb_array'"):
        make("human")


def test_a_window_closed_by_hand_stays_closed(drawn):
    env = make("human")
    plt.close("all")
    after(env, [BUY, HOLD])
    env.reset()
    assert len(drawn) == 1
    assert not plt.get_fignums()


@pytest.mark.parametrize("mode", [None, "human", "rgb_array", "ansi"])
def test_closing_twice_is_harmless(agg, mode):
    env = make(mode)
    env.close()
    env.close()
    assert not plt.get_fignums()


def test_ansi_is_one_line():
    env = make("ansi", candles=make_candles([100, 100, 100, 2_000]))
    assert env.render() == "2020-01-01 00:00  close 100.00  held  position 0%  net worth 10,000.00"
    worth = after(env, [1, HOLD]).step(HOLD)[-1]["net_worth"]
    assert env.render() == f"2020-01-01 03:00  close 2,000.00  held  position 95%  net worth {worth:,.2f}"


def test_ansi_names_what_the_market_forced():
    env = after(make("ansi", candles=make_candles([100, 100, 90]), stop_loss=0.05), [BUY, HOLD])
    assert "close 90.00  held, stop-loss  position 0%" in env.render()


def test_nothing_is_kept_where_nothing_is_drawn():
    assert make(None)._film is None
    assert make("ansi")._film is None


def test_render_without_a_mode_or_an_episode_is_told_what_is_missing():
    with pytest.warns(UserWarning, match="without a `render_mode`"):
        assert make(None).render() is None
    with pytest.raises(InputError, match="call `reset` before `render`"):
        BitcoinTradingEnv(CANDLES, no_features(CANDLES), render_mode="rgb_array").render()


def test_gymnasium_can_observe_the_picture():
    env = AddRenderObservation(make(), render_only=True)
    assert env.observation_space.contains(env.reset()[0])
