"""`BitcoinTradingEnv`: one account as a `gymnasium.Env`. Its docstring is the contract."""

from typing import Any

import gymnasium
import numpy as np

from envs import kernel
from envs.settings import EnvSettings
from envs.trading import Trading
from features import FeatureMatrix
from market import Candles, InputError


class BitcoinTradingEnv(gymnasium.Env[np.ndarray, np.int64]):
    """Trade Bitcoin for cash, one decision a bar.

    ## Time
    The observation at step t holds what is known when bar t closes. The order given then fills at the OPEN of bar t+1, and
    the net worth is marked at the CLOSE of bar t+1; the reward comes from that net worth.

    ## Observation
    `float32 (F + 5,)`:

    | index | meaning | range |
    | --- | --- | --- |
    | 0 .. F-1 | the feature row of bar t | -clip .. clip of the `FeatureMatrix`; unbounded for a plain array |
    | F | position: value of the coin / net worth | 0 .. 1 |
    | F+1 | cash / net worth | 0 .. 1 |
    | F+2 | unrealised return: close / average cost of the coin held - 1, costs included; 0 without coin | -1 .. 1, cut off |
    | F+3 | drawdown: 1 - net worth / its highest so far | 0 .. 1 |
    | F+4 | n / (n + 24), n bars since the last trade or the start | 0 .. 1 |

    ## Actions
    `Discrete(12)`: `a // 4` is the side (0 buy, 1 sell, 2 hold), `1 / (a % 4 + 1)` the amount, of the cash for a buy and of
    the coin for a sale. So 0 buys with all cash, 5 sells half of the coin, 8 to 11 all hold. Long only.

    ## Costs
    A buy fills at `open * (1 + half_spread + slippage)`, a sale at `open * (1 - half_spread - slippage)`; the fee is a share
    of the value traded, and a buy's fee comes out of the amount spent, so cash never falls below 0. An order without cash or
    coin, or worth less than `min_trade`, is refused: `info["outcome"]` says so, and the step passes like a hold.

    ## Reward
    `settings.reward`, a function of the net worth's returns over the last `reward_window` bars (or all since the start):

    | name | value |
    | --- | --- |
    | `profit` | the last bar's simple return |
    | `sortino` | the window's Sortino ratio, annualised; without a losing bar mean / rms instead, at most sqrt(bars a year) |

    Holding cash from the start earns 0.

    ## End
    `terminated` when the net worth falls below `ruin_fraction` of the start, the last reward being paid in full.
    `truncated` after `episode_bars` steps, or at the end of the candles. An episode starts in cash: at a bar drawn from the
    generator that `reset(seed=...)` seeds; with `evaluation=True` at the first bar, to run to the last.

    Accounting, at every step: net worth = cash + coin * close, and its change = market gain - fees - half-spread - slippage.

    Args:
        candles: what is traded on.
        features: a `FeatureMatrix`, or a float32 array (T, F), whose rows are the candles' last rows.
        settings: costs, reward, episode; `EnvSettings()` by default.
        evaluation: whole range, once, instead of random episodes.

    Raises:
        InputError: features that do not fit the candles; `step` after the end or with an action outside the space.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(
        self,
        candles: Candles,
        features: FeatureMatrix | np.ndarray,
        settings: EnvSettings | None = None,
        evaluation: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InputError(f"`render_mode` must be one of {[None, *self.metadata['render_modes']]}, but got {render_mode!r}")
        self.settings = settings or EnvSettings()
        self.render_mode = render_mode
        self.trading = Trading(candles, features, self.settings, n=1, evaluation=evaluation)
        low, high = self.trading.observation_bounds()
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.action_space = gymnasium.spaces.Discrete(kernel.N_ORDERS)
        self._action = np.zeros(1, np.int64)
        self._over = True

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.trading.begin(0, self.np_random)
        self._over = False
        return self.trading.observe()[0], self._info()

    def step(self, action: np.int64 | int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if self._over:
            raise InputError("the episode is over or has not begun; call `reset` before `step`")
        if not self.action_space.contains(action):
            raise InputError(f"`action` must be an integer from 0 to {kernel.N_ORDERS - 1}, but got {action!r}")
        self._action[0] = action
        rewards, terminated, truncated = self.trading.step(self._action)
        self._over = bool(terminated[0] or truncated[0])
        return self.trading.observe()[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), self._info()

    def render(self) -> str | None:
        """One line: time, price, what became of the last order, net worth."""
        if self.render_mode is None:
            return None
        info = self._info()
        price = self.trading.market.close[info["bar"]]
        return (
            f"{info['time']:%Y-%m-%d %H:%M}  close {price:,.2f}  {info['outcome']}  "
            f"position {info['position']:.0%}  net worth {info['net_worth']:,.2f}"
        )

    def _info(self) -> dict[str, Any]:
        """Where the account stands; `fill_coin` is positive for a buy, `bar` counts the candles that have features."""
        accounts = self.trading.accounts
        bar = int(accounts.bar[0])
        net_worth = float(accounts.net_worth[0])
        return {
            "bar": bar,
            "time": self.trading.candles.index[bar],
            "net_worth": net_worth,
            "cash": float(accounts.cash[0]),
            "coin": float(accounts.coin[0]),
            "position": float(accounts.coin[0] * self.trading.market.close[bar]) / net_worth,
            "fees": float(accounts.fees[0]),
            "trades": int(accounts.trades[0]),
            "outcome": kernel.OUTCOMES[accounts.outcome[0]],
            "fill_price": float(accounts.fill_price[0]),
            "fill_coin": float(accounts.fill_coin[0]),
        }
