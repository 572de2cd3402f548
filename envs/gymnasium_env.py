"""`BitcoinTradingEnv`: one account as a `gymnasium.Env`. Its docstring is the contract."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pandas as pd

from common import InputError, needed_for
from envs.accounts import Trading
from envs.market_arrays import Rows, Series
from envs.playthrough import ledger
from envs.rewards import Reward
from envs.settings import EnvSettings

if TYPE_CHECKING:
    from envs.rendering import Film


class BitcoinTradingEnv(gymnasium.Env[np.ndarray, Any]):
    """Trade Bitcoin for cash, one decision a bar.

    ## Time
    The observation at step t holds what is known when bar t closes. The order given then fills at the OPEN of bar t+1, and
    the net worth is marked at the CLOSE of bar t+1; the reward comes from that net worth. `settings.fill` moves the fill:

    | fill | an order decided at the close of bar t fills at |
    | --- | --- |
    | `next_open` | the open of bar t+1 |
    | `next_close` | the close of bar t+1: the position so far lives through that bar first |
    | `same_close` | the close of bar t, which it knew: OPTIMISTIC, only to reproduce old results; `info["optimistic"]` is True |

    ## Observation
    `float32 (F + 5,)`:

    | index | meaning | range |
    | --- | --- | --- |
    | 0 .. F-1 | the feature row of bar t | -clip .. clip of the `FeatureMatrix`; unbounded for a plain array |
    | F | position: value of the coin / net worth / `max_leverage` | 0 .. 1; -2 .. 2 with margin, cut off |
    | F+1 | cash / net worth / `max_leverage` | 0 .. 1; -2 .. 2 with margin, cut off |
    | F+2 | unrealised return on the average cost of the position, costs included; 0 without one | -1 .. 1, cut off |
    | F+3 | drawdown: 1 - net worth / its highest so far | 0 .. 1, cut off |
    | F+4 | n / (n + 24), n bars since the last trade or the start | 0 .. 1 |

    ## Actions
    | `action_scheme` | space | meaning |
    | --- | --- | --- |
    | `orders` | `Discrete(12)` | `a // 4`: 0 buy, 1 sell, 2 hold; `1 / (a % 4 + 1)`: how much, of the cash or of the coin |
    | `targets` | `Discrete(k)` | `settings.targets[a]`: the exposure to have after the fill, as a fraction of the net worth |
    | `continuous` | `Box(-1, 1, (1,))` | the same exposure, from the lowest allowed (-1) to the highest (1), linearly |

    So order 0 buys with all cash, 5 sells half of the coin, 8 to 11 all hold. With margin, "the cash" is what is left to
    `max_leverage`, and an order first closes what is open on the other side: a buy covers its share of a short, and only without
    one goes long; a sale sells its share of the coin, and only without any goes short. Exposures are met exactly, after costs.

    ## Costs
    | cost | when |
    | --- | --- |
    | half-spread, slippage | every fill: a buy pays `price * (1 + adverse)`, a sale gets `price * (1 - adverse)` |
    | impact | every fill: adds `impact * sigma * sqrt(value / volume)` to `adverse`, both of the 24 bars up to the decision |
    | fee | every fill: a share of the value traded; a buy's fee comes out of what is spent, so cash never falls below 0 |
    | borrow | every bar held: on cash below 0, and on the value of coin sold short, at the close |
    | funding | every bar held: longs pay it to shorts, or shorts to longs if it is negative, at the close |

    An order can be refused: `info["outcome"]` names the reason, and the step passes like a hold; `action_masks()` says beforehand
    which orders would be, at the last close. Reasons: no cash, no coin, no margin (the leverage is used up), below `min_trade`,
    below one `lot` (orders are rounded down to whole ones), too large for the volume (its impact would reach half of the price),
    liquidated before the fill. An account that could never trade, with less than `min_trade` or less than one lot at the lowest
    price there is, is refused when the env is made.

    ## What the bar does to a position
    In this order, since nobody knows what came first within a bar and the worse is assumed; `info["event"]` names it:

    1. `stop-loss`, if the bar's worst price (low for a long, high for a short) reaches `entry * (1 -+ stop_loss)`: closes at that
       level, or at the open of a bar that opens beyond it. Not if the margin was gone before.
    2. `liquidation`, with margin only (`shorts`, or `max_leverage` above 1), if at the worst price the net worth is below
       `maintenance_margin` of the position: closes at that worst price. If it is so at the open, the order comes too late.
    3. `take-profit`, if the bar's best price reaches `entry * (1 +- take_profit)`: closes there, or at the open beyond it.

    `entry` is the average cost of the position, costs included. Forced closes pay all costs and know no minimum and no lot.
    Without margin neither cash nor coin ever falls below 0.

    ## Reward
    `settings.reward`, a function of the net worth's returns over the last `reward_window` bars (or all since the start), or
    your own, given as `reward`:

    | name | value |
    | --- | --- |
    | `profit` | the last bar's simple return |
    | `log_return` | the last bar's log return, at least ln 0.001 |
    | `sortino` | Sortino ratio; without a losing bar mean / rms instead, at most sqrt(bars a year) |
    | `sharpe` | Sharpe ratio; without deviation mean / rms instead |
    | `calmar` | Calmar ratio; without a drawdown bars a year / n after a gain |
    | `omega` | Omega ratio at threshold 0; without a losing bar the number of gaining bars |
    | `differential_sharpe` | what the bar adds to an exponential Sharpe ratio (Moody & Saffell), within +-10 |
    | `differential_sortino` | the same for the downside deviation, within +-10 |

    The ratios are annualised and equal `empyrical` on the same window wherever that is finite. What is paid is cut off at +-1e9.
    Holding cash from the start earns 0 in all of them.

    ## End
    `terminated` when the net worth falls below `ruin_fraction` of the start, or to 0, the last reward being paid in full.
    `truncated` after `episode_bars` steps, or at the end of the candles. An episode starts in cash: at a bar drawn from the
    generator that `reset(seed=...)` seeds; with `evaluation=True` at the first bar, to run to the last. Of several series,
    `dataset_sampling` chooses: the one used least so far (ties are drawn), or one drawn in proportion to its bars; an evaluation
    plays each in turn.

    ## Info
    `time` (numpy datetime64, UTC) and `bar` (of series `dataset`) whose close is known; `net_worth`, `cash`, `coin`,
    `position` (value of the coin / net worth); since the start `fees`, `slippage` (with half-spread and impact), `borrow`,
    `funding` in USD and the number of `trades`; of the last bar `outcome`, `fill_coin` (bought > 0, sold < 0), `fill_price`,
    `event`, `forced_coin`, `forced_price`; `optimistic`. `trades()` gives the ledger of the episode.

    Accounting, at every step: net worth = cash + coin * close, and its change = market gain - fees - slippage - borrow - funding.

    Args:
        candles: what is traded on, or a list of such.
        features: a `FeatureMatrix`, or a float32 array (T, F), whose rows are the candles' last rows; a list for a list.
        settings: actions, fills, costs, reward, episode; `EnvSettings()` by default.
        evaluation: whole range, once, instead of random episodes.
        reward: an njit function, a `Fold` or a name, instead of the one that `settings.reward` names (see `envs.rewards`).
        render_mode: `human` (a live window), `rgb_array` (uint8 (H, W, 3)), `ansi` (a line), or None.
        benchmarks: what to draw the net worth beside: by name int64 (T,), the order (0 to 11) at each bar's close; buy and hold
            by default.

    Raises:
        InputError: features that do not fit the candles; `step` after the end or with an action outside the space.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "ansi"], "render_fps": 8}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(
        self,
        candles: Series,
        features: Rows,
        settings: EnvSettings | None = None,
        evaluation: bool = False,
        reward: Reward | str | None = None,
        render_mode: str | None = None,
        benchmarks: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"`render_mode` must be one of {[None, *self.metadata['render_modes']]}, but got {render_mode!r}")
        self.settings = EnvSettings() if settings is None else settings
        self.render_mode = render_mode
        self.trading = Trading(candles, features, self.settings, n=1, evaluation=evaluation, reward=reward)
        self.observation_space = self.trading.observation_space
        self.action_space = self.trading.action_space
        self._fills: list[tuple[np.datetime64, str, float, float]] = []
        self._times = [data.candles.index.tz_convert(None).to_numpy() for data in self.trading.datasets]
        self._over = True
        self._begun = False
        self._film = self._make_film(candles, features, benchmarks)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.trading.forget(0)
        self.trading.begin(0, self.np_random)
        self._fills = []
        self._over = False
        self._begun = True
        info = self._info()
        if self._film is not None:
            self._film.begin(info)
        return self.trading.observe()[0], info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if self._over:
            raise InputError("the episode is over or has not begun; call `reset` before `step`")
        observation, reward, terminated, truncated = self.trading.step_one(action)
        self._over = terminated or truncated
        info = self._info()
        if info["fill_coin"] or info["forced_coin"]:
            self._note_fills(info)
        if self._film is not None:
            self._film.add(info)
        return observation, reward, terminated, truncated, info

    def action_masks(self) -> np.ndarray:
        """bool (A,): False for actions that a rule would refuse now; see `Trading.action_masks`. `MaskablePPO` asks for it."""
        return self.trading.action_masks()[0]

    def render(self) -> np.ndarray | str | None:
        """`rgb_array`: uint8 (H, W, 3). `ansi`: one line. `human`: None, since `reset` and `step` draw by themselves."""
        if self.render_mode is None:
            modes = self.metadata["render_modes"]
            gymnasium.logger.warn(f"`render` does nothing without a `render_mode`; make the env with one of {modes}")
        elif not self._begun:
            raise InputError("no episode has begun; call `reset` before `render`")
        elif self.render_mode == "ansi":
            with needed_for('render_mode="ansi"'):
                from envs.rendering import line  # late, for matplotlib is slow to import

            return line(self._info(), self.trading.bars.close[self.trading.accounts.bar[0]])
        elif self.render_mode == "rgb_array" and self._film is not None:
            return self._film.draw()
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._film is not None:
            self._film.close()

    def trades(self) -> pd.DataFrame:
        """The ledger of this episode: one row a fill, in order, with the columns that `envs.playthrough.ledger` names."""
        time, reason, coin, price = zip(*self._fills, strict=True) if self._fills else ((), (), (), ())
        times = pd.DatetimeIndex(np.array(time, self._times[0].dtype), tz="UTC")
        return ledger(times, np.array(reason, object), np.array(coin, np.float64), np.array(price, np.float64), self.settings)

    def _make_film(self, candles: Series, features: Rows, benchmarks: Mapping[str, np.ndarray] | None) -> "Film | None":
        drawn = self.render_mode in ("human", "rgb_array")
        if not drawn and benchmarks is None:
            return None
        with needed_for("drawing an episode"):
            from envs.rendering import Benchmarks, Film, checked_benchmarks

        orders = checked_benchmarks(benchmarks, self.trading.datasets)
        if not drawn:
            return None
        beside = Benchmarks(candles, features, self.settings, orders)
        return Film(self.trading, beside, fps=self.metadata["render_fps"] if self.render_mode == "human" else None)

    def _info(self) -> dict[str, Any]:
        info = self.trading.info(0)
        info["time"] = self._times[info["dataset"]][info["bar"]]
        return info

    def _note_fills(self, info: dict[str, Any]) -> None:
        fills = []
        if info["fill_coin"]:
            fills.append((info["time"], "order", info["fill_coin"], info["fill_price"]))
        if info["forced_coin"]:
            fills.append((info["time"], info["event"], info["forced_coin"], info["forced_price"]))
        if len(fills) == 2 and self.settings.fill == "next_close":
            fills.reverse()  # what happens within the bar comes before its close
        self._fills += fills
