"""The picture of a running episode, for `BitcoinTradingEnv.render`: all bars up to the current one, and none after it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import matplotlib
import matplotlib.dates as dates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from matplotlib.transforms import ScaledTranslation

from common import InputError
from envs.accounts import DAY, Trading
from envs.kernel import BUY, HOLD, N_ORDERS
from envs.market_arrays import Dataset, Rows, Series
from envs.settings import EnvSettings
from market import Candles, money_of

AGENT = "agent"
BUY_AND_HOLD = "buy and hold"
BUY_ALL, WAIT = 4 * BUY, 4 * HOLD
INCHES, DPI = (11.0, 6.6), 100  # 1100 x 660: even numbers of pixels, which video codecs ask for
AGENT_COLOR, OTHERS = "#1769aa", ("#888888", "#c77700", "#7b3fa0", "#00796b")
MARKS = {  # of a fill: marker, colour, points above its price (so that buys and sales do not hide it), smallest size
    "buy": ("^", "#1b9e3e", -9.0, 3.0),
    "sell": ("v", "#d62728", 9.0, 3.0),
    "stop-loss": ("s", "#c77700", 0.0, 6.0),
    "take-profit": ("D", "#7b3fa0", 0.0, 6.0),
    "liquidation": ("X", "#000000", 0.0, 8.0),
}
COLUMNS = 4
"""net worths in a row of the legend, so that long names have room"""
FEWEST_BARS = 24
"""bars that the time axis has room for from the start"""
KNOWN_PRICE = "optimistic: fills at a known price"
NO_DISPLAY = "no display: matplotlib draws with {} and opens no window, so nothing can be seen; use render_mode='rgb_array'"


Info = Mapping[str, Any]
"""what a step of the environment tells beside the observation"""


def line(info: Info, close: float) -> str:
    """An info as one line of text."""
    return (
        f"{_stamp(info)}  close {_usd(close)}  {_happened(info)}  "
        f"position {info['position']:.0%}  net worth {_usd(info['net_worth'])}"
    )


def _usd(value: float) -> str:
    """Cents, but for prices far below one."""
    return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:.4g}"


def checked_benchmarks(benchmarks: Mapping[str, np.ndarray] | None, datasets: Sequence[Dataset]) -> dict[str, np.ndarray] | None:
    """The benchmarks as int64 (T,) each, one order for each bar of the only series; None stays None."""
    if benchmarks is None:
        return None
    if len(datasets) > 1:
        raise InputError(f"`benchmarks` are orders on one series, but got {len(datasets)}; leave them out for {BUY_AND_HOLD}")
    if AGENT in benchmarks:
        raise InputError(f"`benchmarks` must not be named {AGENT!r}, which is the name of the account itself; rename it")
    bars = len(datasets[0].candles)
    for name, orders in benchmarks.items():
        values = np.asarray(orders)
        rule = f"benchmark {name!r} must be int64 of shape ({bars},), an order from 0 to {N_ORDERS - 1} for each bar"
        if values.dtype.kind not in "iu" or values.shape != (bars,):
            raise InputError(f"{rule}, but got {values.dtype} of shape {values.shape}")
        wrong = np.flatnonzero((values < 0) | (values >= N_ORDERS))
        if wrong.size:
            raise InputError(f"{rule}, but bar {wrong[0]} has {values[wrong[0]]}")
    return {name: np.asarray(orders).astype(np.int64) for name, orders in benchmarks.items()}


class Benchmarks:
    """Accounts that play known orders beside the agent's, through the same kernel, as `EnvSettings.spot` has them trade.

    Args:
        candles, features, settings: the env's.
        orders: by name int64 (T,), the order at the close of each bar; None is buy and hold.
    """

    def __init__(self, candles: Series, features: Rows, settings: EnvSettings, orders: dict[str, np.ndarray] | None) -> None:
        self.names = [BUY_AND_HOLD] if orders is None else list(orders)
        self._given = orders
        rules = settings.spot().model_copy(update={"ruin_fraction": 0.0})  # ruin ends the agent's episodes, and no benchmark
        self._trading = Trading(candles, features, rules, n=len(self.names), evaluation=True)

    def begin(self, dataset: int, bar: int) -> None:
        """All in cash at the close of that bar."""
        bars = len(self._trading.datasets[dataset].candles)
        if self._given is None:
            orders = np.full((1, bars), WAIT)
            orders[0, bar] = BUY_ALL
        else:
            orders = np.array(list(self._given.values()), np.int64).reshape(len(self.names), bars)
        self._orders = iter(orders.T[bar:].copy())  # (n, T) -> (bars left, n)
        for i in range(len(self.names)):
            self._trading.begin_at(i, dataset, bar)
        self._net_worth = [self._trading.accounts.net_worth.copy()]

    def net_worth(self, bars: int) -> np.ndarray:
        """float64 (n, bars) from the first bar of the episode on; what was not played yet is played now."""
        while len(self._net_worth) < bars:
            self._trading.step(next(self._orders))
            self._net_worth.append(self._trading.accounts.net_worth.copy())
        return np.array(self._net_worth).T


class Scene(NamedTuple):
    """All that a picture shows: k bars. Times are days, as matplotlib counts them."""

    title: str
    times: np.ndarray  # float64 (k,)
    close: np.ndarray  # float64 (k,)
    fills: dict[str, list[tuple[float, float]]]  # time and price of each, by the names of MARKS
    net_worth: dict[str, np.ndarray]  # float64 (k,) by name, the agent's first
    end: float  # of the time axis
    money: str  # of the prices, such as USD


class Film:
    """The episode so far, and its pictures.

    Args:
        trading: has the agent's account.
        benchmarks: what is drawn beside it.
        fps: pictures a second of a live window; None draws into memory.
    """

    def __init__(self, trading: Trading, benchmarks: Benchmarks, fps: float | None = None) -> None:
        self._candles = [data.candles for data in trading.datasets]
        self._series = [(_days(candles), candles.column("close")) for candles in self._candles]
        self._settings = trading.settings
        self._benchmarks = benchmarks
        self._fps = fps
        self._screen: Picture | Window | None = None

    def begin(self, info: Info) -> None:
        """An episode starts at the bar of this info."""
        self._first = info["bar"]
        self._net_worth: list[float] = []
        self._fills: dict[str, list[tuple[float, float]]] = {name: [] for name in _possible_marks(self._settings)}
        self._benchmarks.begin(info["dataset"], info["bar"])
        self.add(info)

    def add(self, info: Info) -> None:
        """One more bar has closed; a live window shows it."""
        self._info = info
        self._net_worth.append(info["net_worth"])
        when = float(self._series[info["dataset"]][0][info["bar"]])
        if info["fill_coin"]:
            self._fills["buy" if info["fill_coin"] > 0 else "sell"].append((when, info["fill_price"]))
        if info["forced_coin"]:
            self._fills[info["event"]].append((when, info["forced_price"]))
        if self._fps is not None:
            self.draw()

    def draw(self) -> np.ndarray | None:
        """The picture of now, uint8 (H, W, 3); None where a window shows it."""
        scene = self.scene()
        if self._screen is None:
            optimistic = self._settings.optimistic
            self._screen = Picture(scene, optimistic) if self._fps is None else Window(scene, optimistic, self._fps)
        return self._screen.draw(scene)

    def scene(self) -> Scene:
        """What is known now."""
        info = self._info
        candles = self._candles[info["dataset"]]
        times, close = (values[self._first : info["bar"] + 1] for values in self._series[info["dataset"]])
        others = zip(self._benchmarks.names, self._benchmarks.net_worth(len(times)), strict=True)
        return Scene(
            f"{candles.symbol}   {_stamp(info)} UTC   position {info['position']:.0%}   {_happened(info)}",
            times,
            close,
            self._fills,
            {AGENT: np.array(self._net_worth), **dict(others)},
            max(times[-1], times[0] + FEWEST_BARS * (candles.bar / DAY)),
            money_of(candles.symbol) or "money",
        )

    def close(self) -> None:
        """Close the window, if there is one."""
        if isinstance(self._screen, Window):
            self._screen.close()
        self._screen = None


class Picture:
    """A figure in memory."""

    def __init__(self, scene: Scene, optimistic: bool) -> None:
        self._canvas = FigureCanvasAgg(Figure(INCHES, DPI))
        self.chart = Chart(self._canvas.figure, scene, optimistic)

    def draw(self, scene: Scene) -> np.ndarray:
        self.chart.show(scene)
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


class Window:
    """A live window; where matplotlib can open none, that is said and the pictures are drawn unseen."""

    def __init__(self, scene: Scene, optimistic: bool, fps: float) -> None:
        import matplotlib.pyplot as pyplot  # only here: it looks for a display

        backend = matplotlib.get_backend(auto_select=False)
        self._pyplot = pyplot
        self._figure = pyplot.figure(figsize=INCHES, dpi=DPI)
        self._seen = self._figure.canvas.required_interactive_framework is not None
        if self._seen:
            self._figure.show()
        elif backend is None or backend.lower() != "agg":  # who chose Agg wants it so
            gymnasium.logger.warn(NO_DISPLAY.format(matplotlib.get_backend()))
        self._seconds = 1.0 / fps
        self._due = time.perf_counter()
        self.chart = Chart(self._figure, scene, optimistic)

    def draw(self, scene: Scene) -> None:
        """Show it once the picture before has stood for its time."""
        if not self._pyplot.fignum_exists(self._figure.number):
            return  # closed by hand: the episode goes on unseen
        self.chart.show(scene)
        self._figure.canvas.draw()
        if self._seen:
            self._figure.canvas.start_event_loop(max(self._due - time.perf_counter(), 0.001))
            self._due = time.perf_counter() + self._seconds

    def close(self) -> None:
        self._pyplot.close(self._figure)


class Chart:
    """The artists of a figure. They are made once and moved for each scene, which is faster than a new figure."""

    def __init__(self, figure: Figure, scene: Scene, optimistic: bool) -> None:
        self.price, self.worth = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        top, between = 0.865 if optimistic else 0.9, 0.16 + 0.08 * ((len(scene.net_worth) - 1) // COLUMNS)
        figure.subplots_adjust(left=0.095, right=0.985, top=top, bottom=0.065, hspace=between)
        self.title = figure.text(0.012, 0.967, "", fontsize=12, va="center")
        self.warning = figure.text(
            0.012, 0.932, KNOWN_PRICE if optimistic else "", fontsize=12, va="center", color="#d62728", weight="bold"
        )
        for axes, label in ((self.price, f"price, {scene.money}"), (self.worth, f"net worth, {scene.money}")):
            _furnish(axes, label)
        self.close = self.price.plot([], [], ".-", markevery=[-1], color="#444444", linewidth=1.0, zorder=1)[0]
        self.fills = {name: _marks(self.price, name) for name in scene.fills}
        self._price_legend = _legend(self.price, len(self.price.lines))
        self.net_worth = {name: _curve(self.worth, name, i) for i, name in enumerate(scene.net_worth)}
        self._worth_legend = _legend(self.worth, COLUMNS)

    def show(self, scene: Scene) -> None:
        """Move everything to where the scene has it."""
        self.title.set_text(scene.title)
        self.close.set_data(scene.times, scene.close)
        size = min(110 / max(sum(map(len, scene.fills.values())), 1) ** 0.5, 8.0)  # thousands of large ones would hide the price
        labels = ["close"]
        for name, fills in scene.fills.items():
            self.fills[name].set_data(*np.reshape(fills, (-1, 2)).T)
            self.fills[name].set_markersize(max(size, MARKS[name][3]))
            labels.append(f"{name} ({len(fills):,})")
        _rename(self._price_legend, labels)
        for name, worth in scene.net_worth.items():
            self.net_worth[name].set_data(scene.times, worth)
        _rename(self._worth_legend, [f"{name} {worth[-1] / worth[0]:.2f}x" for name, worth in scene.net_worth.items()])
        self._fit(scene)

    def _fit(self, scene: Scene) -> None:
        """The axes hold what is drawn, with a margin."""
        span = scene.end - scene.times[0]
        self.price.set_xlim(scene.times[0] - 0.01 * span, scene.end + 0.02 * span)
        prices = [price for fills in scene.fills.values() for _, price in fills]
        _fit_height(self.price, np.append(scene.close, prices))
        _fit_height(self.worth, np.concatenate(list(scene.net_worth.values())))


def _furnish(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.yaxis.set_label_coords(-0.08, 0.5)  # beside numbers of any length; to measure them would take time
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(True, color="#e6e6e6", linewidth=0.6)
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))  # few, since the numbers are what takes long to draw
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    locator = dates.AutoDateLocator(minticks=4, maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _marks(axes: Axes, name: str) -> Line2D:
    marker, color, points, _ = MARKS[name]
    order = 3 if points else 4  # what was forced lies above what was ordered
    aside = axes.transData + ScaledTranslation(0.0, points / 72, axes.figure.dpi_scale_trans)
    return axes.plot([], [], marker, color=color, alpha=0.85, markeredgewidth=0.0, zorder=order, transform=aside)[0]


def _curve(axes: Axes, name: str, i: int) -> Line2D:
    if name == AGENT:
        color, width, order = AGENT_COLOR, 2.0, 3
    else:
        color, width, order = OTHERS[(i - 1) % len(OTHERS)], 1.1, 2
    return axes.plot([], [], ".-", markevery=[-1], color=color, linewidth=width, zorder=order)[0]


def _legend(axes: Axes, columns: int) -> Legend:
    """Above the axes, where it hides nothing; each scene has its own labels."""
    return axes.legend(
        axes.lines, ["?"] * len(axes.lines), ncols=columns, loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False,
        fontsize=10, borderpad=0.0, borderaxespad=0.4, handlelength=1.4, columnspacing=1.6,
    )  # fmt: skip


def _rename(legend: Legend, labels: list[str]) -> None:
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)


def _fit_height(axes: Axes, values: np.ndarray) -> None:
    low, high = values.min(), values.max()
    margin = max(0.08 * (high - low), 0.002 * abs(high))
    axes.set_ylim(low - margin, high + margin)


def _possible_marks(settings: EnvSettings) -> list[str]:
    possible = {"stop-loss": settings.stop_loss > 0, "take-profit": settings.take_profit > 0, "liquidation": settings.margin}
    return [name for name in MARKS if possible.get(name, True)]


def _days(candles: Candles) -> np.ndarray:
    """float64 (T,): when the bars open, as matplotlib counts it."""
    return dates.date2num(candles.index.tz_convert(None).to_numpy())


def _stamp(info: Info) -> str:
    return f"{pd.Timestamp(info['time']):%Y-%m-%d %H:%M}"


def _happened(info: Info) -> str:
    return f"{info['outcome']}, {info['event']}" if info["event"] else info["outcome"]
