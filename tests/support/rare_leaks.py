"""Leaks that hide, with their twins: in the bar of the fill, behind a rare condition, in an external series, or elsewhere."""

from collections.abc import Callable
from typing import Any

import brokers
import early_leaks
import numpy as np
import pandas as pd
import patient_brokers
from leaks import CANDLES, Columns, Leak, basic, pair, returns

from market import Candles

# --- behind a condition -------------------------------------------------------------------------------------------------


def when(condition: Callable[[Candles], Any], ahead: bool) -> Callable[[Candles], pd.DataFrame]:
    """The next return (or the last one) where the condition holds, and 0 elsewhere."""

    def compute(candles: Candles) -> pd.DataFrame:
        moves = returns(candles).shift(-1) if ahead else returns(candles)
        return basic(candles).assign(signal=moves.where(np.asarray(condition(candles)), 0.0).fillna(0.0))

    return compute


def is_silent(candles: Candles) -> Any:
    return candles.frame.volume == 0


def is_first_of_month(candles: Candles) -> Any:
    return (candles.index.day == 1) & (candles.index.hour == 12)


def is_weekend(candles: Candles) -> Any:
    return (candles.index.day_of_week == 6) & (candles.index.hour == 3)


def gapped(candles: Candles) -> Any:
    return (candles.frame.open / candles.frame.close.shift() - 1).abs() > 0.1


def crashed(candles: Candles) -> Any:
    return returns(candles) < -0.08


# --- of all rows at once ------------------------------------------------------------------------------------------------


def ranked(candles: Candles) -> pd.DataFrame:
    return basic(candles).assign(rank=candles.frame.volume.rank(pct=True))


def ranked_so_far(candles: Candles) -> pd.DataFrame:
    return basic(candles).assign(rank=candles.frame.volume.rolling(24).rank(pct=True)).iloc[23:]


def gradient(candles: Candles) -> pd.DataFrame:
    """`numpy.gradient` takes central differences."""
    return basic(candles).assign(slope=np.gradient(np.log(candles.frame.close)))


def difference(candles: Candles) -> pd.DataFrame:
    return basic(candles).assign(slope=np.log(candles.frame.close).diff().fillna(0.0))


def turning_points(candles: Candles) -> pd.DataFrame:
    """A low is one if the three bars on both sides are higher."""
    low = candles.frame.low
    return basic(candles).assign(turn=(low == low.rolling(7, center=True, min_periods=1).min()).astype(float))


def confirmed_turning_points(candles: Candles) -> pd.DataFrame:
    low = candles.frame.low
    turn = (low.shift(3) == low.rolling(7, min_periods=1).min()).astype(float)
    return basic(candles).assign(turn=turn)


def low_passed(candles: Candles) -> pd.DataFrame:
    """The slow part of the whole spectrum."""
    moves = returns(candles).fillna(0.0).to_numpy()
    spectrum = np.fft.rfft(moves)
    spectrum[len(spectrum) // 8 :] = 0
    return basic(candles).assign(slow=np.fft.irfft(spectrum, len(moves)))


def averaged(candles: Candles) -> pd.DataFrame:
    return basic(candles).assign(slow=returns(candles).rolling(8, min_periods=1).mean())


# --- made elsewhere -----------------------------------------------------------------------------------------------------

TRENDS = (CANDLES.frame.close.shift(-12) / CANDLES.frame.close - 1).fillna(0.0).to_numpy()


def by_number(candles: Candles) -> pd.DataFrame:
    """A column that was computed once and is joined by the number of the row."""
    return basic(candles).assign(trend=np.resize(TRENDS, len(candles)))


def by_hour(candles: Candles) -> pd.DataFrame:
    """A table by the hour of the day is a clock."""
    return basic(candles).assign(trend=TRENDS[:24][candles.index.hour])


FRAME = basic(CANDLES).iloc[1:]

# --- external series ----------------------------------------------------------------------------------------------------

DAILY = CANDLES.frame.close.resample("1D").last()
EARLY = {"daily": DAILY}
"""each day's close, stamped with the day's beginning"""
LATE = {"daily": DAILY.set_axis(DAILY.index + pd.Timedelta("1D"))}
RATES = {"rate": pd.Series(np.random.default_rng(3).normal(0, 1, 80), pd.date_range(CANDLES.index[0], periods=80, freq="8h"))}


def _joined(candles: Candles, series: pd.Series) -> pd.DataFrame:
    return basic(candles).assign(outside=series.to_numpy()).fillna(0.0).iloc[1:]


def joined(candles: Candles, external: Any) -> pd.DataFrame:
    return _joined(candles, next(iter(external.values())).reindex(candles.index, method="ffill"))


def joined_backwards(candles: Candles, external: Any) -> pd.DataFrame:
    return _joined(candles, next(iter(external.values())).reindex(candles.index, method="bfill"))


def interpolated(candles: Candles, external: Any) -> pd.DataFrame:
    """A line from each rate to the next one."""
    series = next(iter(external.values()))
    both = series.reindex(series.index.union(candles.index)).interpolate()
    return _joined(candles, both.reindex(candles.index))


def standardised(candles: Candles, external: Any) -> pd.DataFrame:
    series = next(iter(external.values()))
    return _joined(candles, ((series - series.mean()) / series.std()).reindex(candles.index, method="ffill"))


def standardised_so_far(candles: Candles, external: Any) -> pd.DataFrame:
    series = next(iter(external.values()))
    return _joined(candles, (series / series.expanding().max()).reindex(candles.index, method="ffill"))


# --- agents and trainings -----------------------------------------------------------------------------------------------


class KeepsTheMean:
    """Subtracts the mean of all that it has ever seen: what one episode taught goes into the next."""

    forgets = False

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def predict(self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False) -> Any:
        if self.forgets and (episode_start is None or np.all(episode_start)):
            self.total, self.count = 0.0, 0
        self.total, self.count = self.total + float(observation[0]), self.count + 1
        return int(observation[0] > self.total / self.count), state


class ForgetsTheMean(KeepsTheMean):
    forgets = True


def best_seed(candles: Candles, train_bars: int, last: int | None = None) -> dict[str, Any]:
    """Of a few random models the one that fits best: on all candles, or on the train bars."""
    moves = returns(candles).fillna(0.0).to_numpy()[: last or len(candles)]
    models = np.random.default_rng(0).normal(size=(20, 3))
    fits = [np.corrcoef(np.convolve(moves, model)[: len(moves) - 1], moves[1:])[0, 1] for model in models]
    return {"weights": models[int(np.argmax(fits))]}


def best_seed_on_train(candles: Candles, train_bars: int) -> dict[str, Any]:
    return best_seed(candles, train_bars, train_bars)


# --- environments of their own DataFrame --------------------------------------------------------------------------------


class FrameEnv(brokers.Broker):
    """Computes its observations from the DataFrame of candles, and begins at a random bar."""

    WHOLE = False

    def __init__(self, df: pd.DataFrame) -> None:
        frame = df.assign(quote_volume=df.volume * df.close).rename_axis("time")
        candles = Candles(frame, frame.index[1] - frame.index[0], "", "")
        scale = frame.close.max() if self.WHOLE else frame.close.rolling(20, min_periods=1).max()
        values = (frame.close / scale).to_numpy(np.float32)[:, None]
        super().__init__(candles, type("Rows", (), {"values": values, "warmup": 0})())

    def begin(self) -> None:
        super().begin()
        self.bar = int(self.np_random.integers(20, 200))


class ScaledByTheHighest(FrameEnv):
    """Prices over the highest price of the file."""

    WHOLE = True


def frame_env(df: pd.DataFrame) -> FrameEnv:
    return FrameEnv(df)


def scaled_env(df: pd.DataFrame) -> FrameEnv:
    return ScaledByTheHighest(df)


def _fills(name: str, leaky: Any, honest: Any, column: str = "net_worth", check: str = "next-bar fills") -> Leak:
    return Leak(name, check, column, {"pipeline": Columns(basic), "env": leaky}, {"pipeline": Columns(basic), "env": honest})


def _rare(name: str, condition: Callable[[Candles], Any]) -> Leak:
    return Leak(name, "causal features", "signal", *pair(Columns(when(condition, True)), Columns(when(condition, False))))


def _rows(name: str, column: str, leaky: Any, honest: Any, check: str = "causal features") -> Leak:
    return Leak(name, check, column, *pair(leaky, honest))


def _outside(name: str, leaky: Any, honest: Any) -> Leak:
    one, two = ({"pipeline": function, "external": RATES} for function in (leaky, honest))
    return Leak(name, "causal features", "outside", one, two)


def _early(name: str, column: str, early: Any, late: Any) -> Leak:
    one, two = ({"pipeline": joined, "external": external} for external in (early, late))
    return Leak(name, "known in time", column, one, two)


RARE_LEAKS = [
    _fills("paid for the shown bar", brokers.PaidForTheShownBar, brokers.PaidForTheNextBar, "reward"),
    _fills("order filled only if the bar rises", brokers.OnlyIfItRises, brokers.OnlyIfItRose),
    _fills("order filled only if the bar rises, no worth told", brokers.OnlyIfItRisesByReward, brokers.RollingSharpe, "reward"),
    _fills("better of open and close", brokers.BetterPrice, brokers.WorsePrice),
    _fills("order grows if the bar pays", brokers.LargerIfItRises, brokers.LargerIfItRose),
    _fills("sold at the high", brokers.AtTheHigh, brokers.SlippageOfTheRange),
    _fills("profit taken at the high", brokers.TakesProfitAtTheHigh, brokers.TakesProfit),
    _fills("entry skipped that would be stopped", brokers.SkipsWhatWouldStop, brokers.HonestTightStop),
    _fills("sized by the range of the next bar", brokers.SizedByTheNextRange, brokers.SizedByTheLastRange),
    _fills("stop forgotten if the bar recovers", brokers.SparedStop, brokers.StopAtTheClose),
    _fills("stop filled within the gap", brokers.StopInTheGap, brokers.HonestStop),
    _fills("known close on Sundays", brokers.OnSundays, brokers.KnownPrice),
    _fills("known close for small orders", brokers.SmallOrders, brokers.SizedOrders),
    _fills("known close late in the episode", brokers.LateInTheEpisode, brokers.Broker),
    _fills("known close after a long hold", brokers.AfterAWhile, brokers.TellsTheEntry),
    _fills("known close after a rise", brokers.AfterRises, brokers.SeesWhatIsHeld),
    _fills("trade paid at its end, at a known price", brokers.PaidWhenItEndsAtAKnownPrice, brokers.PaidWhenItEnds, "reward"),
    _fills("known price, held for six bars, paid at the end",
           patient_brokers.HeldForSixBarsAtAKnownPrice, patient_brokers.HeldForSixBars, "reward"),
    _fills("known price, held for twelve bars, paid at the end",
           patient_brokers.TwelveBarsAtAKnownPrice, patient_brokers.TwelveBars, "reward"),
    _fills("known close once a week", patient_brokers.OnFridaysAtAKnownPrice, brokers.OnFridays),
    _fills("dollars turned into coin at the next close", patient_brokers.SizedByTheNextClose, patient_brokers.Shorts),
    _fills("paid one bar too far", brokers.PaidOneBarTooFar, brokers.PaidForTheNextBar, "reward", "causal env"),
    _fills("next open in a dictionary", brokers.NextGainSeen, brokers.PartsSeen, "observation.account[2]", "causal env"),
    _fills("end before the crash", brokers.EndsBeforeTheCrash, brokers.EndsAfterTheCrash, "end of the episode", "causal env"),
    _fills("next open in info", brokers.TellsTheNextOpen, brokers.TellsTheEntry, "info['price']", "causal env"),
    _fills("sees ahead after a long hold", brokers.SeesLateIfHeld, brokers.SeesWhatIsHeld, "observation[3]", "causal env"),
    _fills("prices over the highest of the file", scaled_env, frame_env, "observation", "causal env"),
    _rare("next return at silent bars", is_silent),
    _rare("next return on the first of the month", is_first_of_month),
    _rare("next return on Sunday nights", is_weekend),
    _rare("next return after gaps", gapped),
    _rare("next return after crashes", crashed),
    _rows("rank among all rows", "rank", ranked, ranked_so_far),
    _rows("central differences", "slope", Columns(gradient, 0), Columns(difference, 0)),
    _rows("turning points", "turn", Columns(turning_points), Columns(confirmed_turning_points)),
    _rows("low-pass of the whole spectrum", "slow", Columns(low_passed), Columns(averaged)),
    _rows("looked up by the number of the row", "trend", Columns(by_number), Columns(by_hour), "candles alone"),
    _rows("a frame made elsewhere", "all columns", FRAME, basic, "candles alone"),
    _early("the day's close in the morning", "daily", EARLY, LATE),
    _early("another coin's close at the open of its bar", "other", early_leaks.EARLY_COIN, early_leaks.LATE_COIN),
    _early("the day's volume in the morning", "volume", early_leaks.EARLY_VOLUME, early_leaks.LATE_VOLUME),
    _early("volatility of the next hours", "volatility", early_leaks.EARLY_VOLATILITY, early_leaks.LATE_VOLATILITY),
    _rows("labels of later refits", "expected", early_leaks.WalkForward(False), early_leaks.WalkForward(True)),
    _rows("later models that see their own bars", "expected", early_leaks.LateFolds(True), early_leaks.LateFolds(False),
          "out of fold"),
    _outside("external series joined backwards", joined_backwards, joined),
    _outside("external series interpolated", interpolated, joined),
    _outside("external series standardised as a whole", standardised, standardised_so_far),
    Leak("memory that outlives the episode", "frozen agent", "total",
         {"pipeline": Columns(basic), "env": brokers.Broker, "agent": KeepsTheMean()},
         {"pipeline": Columns(basic), "env": brokers.Broker, "agent": ForgetsTheMean()}),
    Leak("seed chosen on the test range", "trained on train", "weights[0]",
         {"pipeline": Columns(basic), "training": best_seed}, {"pipeline": Columns(basic), "training": best_seed_on_train}),
]  # fmt: skip
"""each is caught by the check and the column that stand here, and its twin passes all checks"""

QUICK = {
    "paid for the shown bar", "order filled only if the bar rises", "better of open and close", "sold at the high",
    "stop forgotten if the bar recovers", "known close on Sundays", "known close late in the episode",
    "known close after a long hold",
    "known price, held for twelve bars, paid at the end", "dollars turned into coin at the next close",
    "another coin's close at the open of its bar", "the day's volume in the morning", "volatility of the next hours",
    "labels of later refits", "later models that see their own bars",
    "paid one bar too far", "next open in a dictionary", "prices over the highest of the file", "next return at silent bars",
    "next return after crashes", "looked up by the number of the row", "a frame made elsewhere", "the day's close in the morning",
    "external series joined backwards", "memory that outlives the episode", "seed chosen on the test range",
}  # fmt: skip
"""one or two of each kind; the others are tried with the slow tests"""
