from .bar_grid import (
    MONTH as MONTH,
    bar_ends as bar_ends,
    bar_name as bar_name,
    months_of as months_of,
    parse_bar as parse_bar,
)
from .candles import CandleError as CandleError, Candles as Candles, as_candles as as_candles
from .coin_splits import AnySplit as AnySplit, CoinSplits as CoinSplits, split_coins as split_coins
from .external import with_external as with_external
from .file_table import FileTable as FileTable
from .layouts import Layout as Layout
from .ledger_looks import Looks as Looks, looks_at as looks_at
from .ledger_range import LedgerRange as LedgerRange
from .load import load_candles as load_candles, load_coins as load_coins
from .opening_ledger import OpeningLedger as OpeningLedger
from .parquet import write_parquet as write_parquet
from .plugin_kinds import MARKET_KINDS as MARKET_KINDS
from .read import read_all_candles as read_all_candles, read_candles as read_candles
from .resampling import resample as resample
from .settings import ExternalFile as ExternalFile, MarketSettings as MarketSettings, SplitSettings as SplitSettings
from .simulation.markets import MARKETS as MARKETS, simulate as simulate
from .simulation.simulated_candles import SimulatedCandles as SimulatedCandles
from .splitting import LockedTestRange as LockedTestRange, Part as Part, Split as Split, split as split
from .symbols import money_of as money_of
from .trial_ledger import FinishedTrial as FinishedTrial, TrialLedger as TrialLedger
from .write import write_candles as write_candles
