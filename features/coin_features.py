"""`CoinFeatures`: the fitted pipelines of several coins, all with the same columns, for one agent that trades them all."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from common import InputError, one_line, write_atomically
from features.fitted import FittedFeatures
from features.lookback import lookback_in_words
from features.matrix import FeatureMatrix
from market import Candles

FILE = "coins.json"


@dataclass(frozen=True, eq=False)
class CoinFeatures:
    """What `FittedFeatures` is to one series: each coin's candles are transformed by the coin's own estimates.

    Args:
        by_symbol: what was fitted on each coin's train range; the same columns in the same order.
    """

    by_symbol: dict[str, FittedFeatures]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, which all coins share."""
        return next(iter(self.by_symbol.values())).names

    @property
    def lookback(self) -> int:
        """As `FittedFeatures.lookback`: of the coin that needs most bars."""
        return max(fitted.lookback for fitted in self.by_symbol.values())

    @property
    def in_words(self) -> str:
        """How many columns there are, and the notes of each coin, a line each."""
        first = next(iter(self.by_symbol.values())).columns_in_words
        notes = [f"  note: {symbol}: {note}" for symbol, fitted in self.by_symbol.items() for note in fitted.notes]
        return "\n".join([f"{first}, {lookback_in_words(self.lookback)}, each coin with a scaler of its own", *notes])

    def of(self, candles: Candles) -> FittedFeatures:
        """What was fitted on the coin of these candles.

        Raises:
            InputError: a coin that was not trained on.
        """
        if candles.symbol not in self.by_symbol:
            raise InputError(
                f"features were fitted on {', '.join(self.by_symbol)}, but the candles are of {candles.symbol}; train on it, too"
            )
        return self.by_symbol[candles.symbol]

    def transform(self, candles: Candles, since: int = 0) -> FeatureMatrix:
        """As `FittedFeatures.transform`, by the estimates of the candles' coin."""
        return self.of(candles).transform(candles, since)

    def out_of_fold(self, candles: Candles) -> pd.DataFrame:
        """As `FittedFeatures.out_of_fold`, by the models of the candles' coin."""
        return self.of(candles).out_of_fold(candles)

    def save(self, folder: Path) -> None:
        """Write a folder for each coin, then `coins.json`: in their order, each symbol and the hash of what was fitted on."""
        for number, fitted in enumerate(self.by_symbol.values(), 1):
            fitted.save(folder / f"coin-{number}")
        write_atomically(
            folder / FILE, json.dumps({symbol: fitted.fitted_on_sha256 for symbol, fitted in self.by_symbol.items()}) + "\n"
        )

    @classmethod
    def load(cls, folder: Path, cache: Path | None = None) -> "CoinFeatures":
        """Read what `save` wrote; runs no code from the files.

        Raises:
            InputError: a missing or damaged file.
        """
        try:
            symbols: dict[str, str] = dict(json.loads((folder / FILE).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"cannot read the coins of the features in {folder}: {one_line(error)}; train again") from error
        fitted = {symbol: FittedFeatures.load(folder / f"coin-{n}", cache) for n, symbol in enumerate(symbols, 1)}
        for symbol, hashed in symbols.items():
            if fitted[symbol].fitted_on_sha256 != hashed:
                raise InputError(f"{folder / FILE} and the features of {symbol} beside it do not belong together; train again")
        return cls(fitted)


AnyFeatures = FittedFeatures | CoinFeatures
"""of one series, or of several coins"""


def load_features(folder: Path) -> AnyFeatures:
    """What either kind wrote into the folder.

    Raises:
        InputError: a missing or damaged file.
    """
    return CoinFeatures.load(folder) if (folder / FILE).exists() else FittedFeatures.load(folder)
