"""Cuts the series of several coins at the same times, so that no bar that is trained on lies behind a bar of any test range."""

from collections.abc import Sequence
from dataclasses import dataclass

from common import InputError
from market.bar_grid import bar_name, bars_between, months_of
from market.candles import Candles
from market.settings import SplitSettings
from market.splitting import Edges, Split, cut, edges_of
from market.symbols import plain


@dataclass(frozen=True)
class CoinSplits:
    """The splits of several coins, by symbol in alphabetical order: what a `Split` is to one series.

    Their ranges begin and end at the same times, but for the first bar of train and the last of test.
    """

    coins: tuple[Split, ...]

    @property
    def data_sha256(self) -> dict[str, str]:
        """Hash of the whole series of each coin, by symbol."""
        return {coin.symbol: coin.data_sha256 for coin in self.coins}

    @property
    def in_words(self) -> str:
        """As `Split.in_words`, a line a coin."""
        return "\n".join(f"{coin.symbol} {coin.in_words}" for coin in self.coins)

    def walk_forward(self, windows: int) -> list["CoinSplits"]:
        """As `Split.walk_forward`: since the validation ranges of all coins are the same times, so are the windows.

        Raises:
            InputError: windows of fewer than 50 bars.
        """
        return [CoinSplits(window) for window in zip(*(coin.walk_forward(windows) for coin in self.coins), strict=True)]

    def joined(self) -> "CoinSplits":
        """As `Split.joined`."""
        return CoinSplits(tuple(coin.joined() for coin in self.coins))


AnySplit = Split | CoinSplits
"""of one series, or of several coins"""


def split_coins(coins: Sequence[Candles], settings: SplitSettings | None = None) -> AnySplit:
    """Cut the series of several coins at the same times; one series is split as `split` does.

    The shares are those of the time from the first bar of any coin to the last of any. So a coin that begins late has a shorter
    train range and moves no boundary of the others, and the ranges of the longest series are those that it has alone.

    Raises:
        InputError: the same coin twice, bars of different lengths or at different times of the day, or a coin with fewer than 50
            bars in a range.
    """
    settings, coins = settings or SplitSettings(), sorted(coins, key=lambda candles: candles.symbol)
    if len(coins) > 1:
        _require_different(coins)
        _require_one_clock(coins)
    first, bar = min(candles.index[0] for candles in coins), coins[0].bar
    begins = [bars_between(first, candles.index[0], bar) for candles in coins]
    edges = edges_of(max(begin + len(candles) for begin, candles in zip(begins, coins, strict=True)), settings)
    splits = tuple(
        cut(candles, Edges(*(edge - begin for edge in edges)), settings, f" of {candles.symbol}" if len(coins) > 1 else "")
        for begin, candles in zip(begins, coins, strict=True)
    )
    return splits[0] if len(splits) == 1 else CoinSplits(splits)


def _require_different(coins: Sequence[Candles]) -> None:
    seen: dict[str, Candles] = {}
    for candles in coins:
        other = seen.setdefault(plain(candles.symbol), candles)
        if other is not candles:
            raise InputError(
                f"each file must hold another coin, but two hold {candles.symbol} ({other.source}; {candles.source}); drop one, "
                "or name the coin in a column `symbol` or in the file's name"
            )


def _require_one_clock(coins: Sequence[Candles]) -> None:
    one = coins[0]
    for other in coins[1:]:
        if other.bar != one.bar:
            raise InputError(
                f"all coins must have bars of one length, but those of {one.symbol} last {bar_name(one.bar)} and those of "
                f"{other.symbol} {bar_name(other.bar)}; resample one: python -m market resample"
            )
        if not months_of(one.bar) and (other.index[0] - one.index[0]) % one.bar:
            raise InputError(
                f"the bars of all coins must open at the same times, but {one.symbol} has one at {one.index[0]} and "
                f"{other.symbol} at {other.index[0]}; resample one"
            )
