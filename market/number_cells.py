"""Turns the number cells of any candle file into float64: `2,509.17`, `2.509,17`, `$8,051`, `114.60K`, and plain ones."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa

NO_NUMBER = ("", "nan", "na", "null", "none", "n/a", "-")
FACTORS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
CURRENCY = "[$€£¥₿₩]"
PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
POINT_GROUPS, COMMA_GROUPS = r"[+-]?[1-9]\d{0,2}(?:[.]\d{3})+(?:,\d*)?", r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?"
DECIMAL_COMMA = r"[+-]?\d+,\d*"
EITHER = r"[+-]?[1-9]\d{0,2},\d{3}"
"""`2,509` is two and a half with a decimal comma, and two and a half thousand with a comma between thousands"""
UNGROUPED = r"(?<![\d.,])\d{4,}(?![,\d]*,\d{3})"
GROUPED = r"\d[ \u00a0',]\d{3}(?!\d)"
SPREADSHEET = r"[+-]?\d(?:\.\d{1,5})?E\+\d{2}"
"""`1.5E+12`, to which spreadsheets shorten long numbers when they save them: the digits that are gone are gone"""


def number_cells(column: pa.ChunkedArray, decimal_comma: bool | None) -> tuple[np.ndarray, dict[int, str]]:
    """float64 values, NaN for empty cells; and the text of the cells that are neither empty nor a number.

    Args:
        column: numbers, or text.
        decimal_comma: whether a comma stands before the decimals; None where no cell of the file can tell.
    """
    if pa.types.is_boolean(column.type):
        return np.full(len(column), np.nan), {0: "true or false"}
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type):
        return column.cast(pa.float64()).to_numpy(), {}
    text = text_cells(column)
    values = np.array(pd.to_numeric(text, errors="coerce"), np.float64)
    shortened = text.str.fullmatch(SPREADSHEET).to_numpy(bool)
    values[shortened] = np.nan
    unread = np.flatnonzero((np.isnan(values) | bool(decimal_comma)) & ~shortened)
    if len(unread):
        grouped = not text.str.contains(UNGROUPED).any()
        values[unread] = _written_for_people(text.iloc[unread], decimal_comma, grouped)
    missing = np.flatnonzero(np.isnan(values))
    odd = {int(row): _said(text.iloc[row]) for row in missing if text.iloc[row].lower() not in NO_NUMBER}
    return values, odd


def text_cells(column: pa.ChunkedArray) -> pd.Series:
    """The cells as text, empty where there is nothing."""
    return column.cast(pa.string()).to_pandas().astype(object).where(lambda cells: cells.notna(), "").str.strip()


def has_decimal_comma(columns: list[pa.ChunkedArray]) -> bool | None:
    """Whether the file writes `2.509,17`; None if it has commas, and every cell with one fits both ways."""
    doubtful = False
    for column in columns:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        cells = _bare(text_cells(column))
        cells = cells[cells.str.contains(",", regex=False)]
        if len(cells) == 0:
            continue
        if cells.str.fullmatch(COMMA_GROUPS).sum() * 2 > len(cells):
            if not cells.str.fullmatch(EITHER).all():
                return False
            doubtful = True
        elif (cells.str.fullmatch(DECIMAL_COMMA) | cells.str.fullmatch(POINT_GROUPS)).sum() * 2 > len(cells):
            return True
    return None if doubtful else False


def _written_for_people(text: pd.Series, decimal_comma: bool | None, grouped: bool) -> np.ndarray:
    """float64, NaN where it is no such number either.

    Args:
        text: cells.
        decimal_comma: as in `number_cells`.
        grouped: whether thousands may be set apart: a column that does it in one cell does it in all.
    """
    bare = _bare(text)
    factors = bare.str[-1:].str.upper().map(FACTORS).fillna(1.0).to_numpy(np.float64)
    bare = bare.where(factors == 1.0, bare.str[:-1])
    if decimal_comma:
        readable = bare.str.fullmatch(rf"{POINT_GROUPS}|{DECIMAL_COMMA}|[+-]?\d+")
        plain = bare.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    else:
        readable = bare.str.fullmatch(f"{COMMA_GROUPS}|{PLAIN}")
        readable &= ~bare.str.contains(",", regex=False) if decimal_comma is None else True
        plain = bare.str.replace(",", "", regex=False)
    readable &= ~text.str.contains(GROUPED) | grouped
    return pd.to_numeric(plain.where(readable), errors="coerce").to_numpy(np.float64) * factors


def _bare(text: pd.Series) -> pd.Series:
    """Without signs of a currency and spaces between thousands."""
    return text.str.replace(f"^([+-]?){CURRENCY} ?", r"\1", regex=True).str.replace(r"(?<=\d)[ \u00a0'](?=\d{3})", "", regex=True)


def _said(text: str) -> str:
    if re.fullmatch(SPREADSHEET, text):
        return f"{text}, shortened by a spreadsheet, so that digits are lost (take the file that it was made from)"
    if re.fullmatch(EITHER, text):
        return f"{text}, whose comma may stand before decimals or between thousands (write it without)"
    return text
