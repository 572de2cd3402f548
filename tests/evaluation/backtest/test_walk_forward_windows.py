"""Walk-forward: trained anew before each window, on nothing but the bars before it."""

import numpy as np
import pytest
from gymnasium import spaces
from trainings import train

from agents import SignalStrategy
from common import InputError
from envs import BUY, HOLD, SELL, EnvSettings
from evaluation import play
from evaluation.backtest import walk_forward
from evaluation.backtest.walk_forward_windows import Relay
from market import Candles, OpeningLedger, Part


def training(split):
    trained = train(split, env=EnvSettings())
    return trained.agent, trained.features


@pytest.fixture(scope="module")
def part(parts, tmp_path_factory):
    return parts.open_test(OpeningLedger(tmp_path_factory.mktemp("studies") / "ledger.jsonl"), "config", "a test")


@pytest.fixture(scope="module")
def walked(parts, part):
    return walk_forward(parts, part, EnvSettings(), training, n_windows=3)


def test_windows_cover_the_range_and_each_is_trained_on_the_bars_before_it(parts, part, walked):
    purge = parts.validation.start - len(parts.train.candles)
    assert walked.first_bars == (0, len(part) // 3, 2 * (len(part) // 3))
    for first, split in zip(walked.first_bars, walked.splits, strict=True):
        start = part.start + first
        assert len(split.validation.candles) == start - purge
        assert len(split.validation) == len(parts.validation)
        assert len(split.train.candles) == split.validation.start - purge
        assert split.validation.candles.index[-1] < part.candles.index[start - purge]
    assert walked.splits[0].train.candles.sha256 == parts.train.candles.sha256
    assert walked.splits[0].validation.start == parts.validation.start


def test_it_is_one_account_over_the_whole_range(part, walked):
    assert walked.episode.table.index.equals(part.own.index)
    assert walked.episode.table["net_worth"].iloc[0] == 10_000
    table = walked.windows(walked.episode)
    worth = walked.episode.table["net_worth"]
    assert table["agent, walk-forward"].sum() == pytest.approx(np.log(worth.iloc[-1] / worth.iloc[0]))
    assert list(table["last"]) == [part.own.index[k] for k in (*walked.first_bars[1:], len(part) - 1)]


def test_the_first_window_is_what_the_agent_of_the_split_does_there(parts, part, walked):
    agent, features = training(parts)
    alone = play(part.candles, features.transform(part.candles).since(part.start), EnvSettings(), agent)
    end = walked.first_bars[1]
    for name in ("net_worth", "position"):
        np.testing.assert_array_equal(alone.table[name].iloc[: end + 1], walked.episode.table[name].iloc[: end + 1])


def test_no_window_knows_a_later_one(parts, part, walked):
    """With other bars from the last window on, all before it stays the same to the bit."""
    cut = part.start + walked.first_bars[2] + 1
    frame = part.candles.frame.copy()
    rng = np.random.default_rng(5)
    frame.iloc[cut:, :4] *= np.exp(np.cumsum(rng.normal(0, 0.02, len(frame) - cut)))[:, None]
    other = Part("test", Candles(frame, part.candles.bar, part.candles.symbol, "another future"), part.start)
    again = walk_forward(parts, other, EnvSettings(), training, n_windows=3)
    known = walked.first_bars[2] + 1
    for name in ("net_worth", "position"):
        np.testing.assert_array_equal(again.episode.table[name].iloc[:known], walked.episode.table[name].iloc[:known])
    assert not np.array_equal(again.episode.table["net_worth"], walked.episode.table["net_worth"])


def test_each_agent_decides_in_its_own_window_from_an_empty_memory_with_its_own_rows():
    class Noting:
        action_space = None

        def __init__(self, name, said):
            self.name, self.said = name, said

        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            self.said.append((self.name, state, bool(episode_start[0]), observation.tolist()))
            return 8, (state or 0) + 1

    said: list[tuple[str, int | None, bool, list[float]]] = []
    rows = [np.full((6, width), width, np.float32) for width in (1, 2)]
    relay = Relay((0, 3), [(Noting(name, said), each) for name, each in zip("ab", rows, strict=True)])
    state = None
    for _ in range(5):
        _, state = relay.predict(np.arange(5, dtype=np.float32), state, np.zeros(1, bool), deterministic=True)
    account = [0.0, 1.0, 2.0, 3.0, 4.0]
    assert said == [
        ("a", None, True, [1.0, *account]), ("a", 1, False, [1.0, *account]), ("a", 2, False, [1.0, *account]),
        ("b", None, True, [2.0, 2.0, *account]), ("b", 1, False, [2.0, 2.0, *account]),
    ]  # fmt: skip


def test_a_position_stays_open_when_one_agent_hands_over_to_the_next(candles):
    class OfTwelveOrders(SignalStrategy):
        action_space = spaces.Discrete(12)

    buyer, seller = OfTwelveOrders(np.array([BUY, HOLD])), SignalStrategy(np.array([SELL, HOLD]))
    rows = np.zeros((len(candles), 1), np.float32)
    episode = play(candles, rows, EnvSettings(), Relay((0, 700), [(buyer, rows), (seller, rows)]))
    assert list(episode.trades["side"]) == ["buy", "sell"]
    assert list(episode.trades["time"]) == [candles.index[1], candles.index[701]]


@pytest.mark.parametrize("n_windows", [0, 7, 1_000])
def test_windows_that_are_too_short_are_refused(parts, part, n_windows):
    with pytest.raises(InputError, match="each window needs at least 50 bars"):
        walk_forward(parts, part, EnvSettings(), training, n_windows=n_windows)
