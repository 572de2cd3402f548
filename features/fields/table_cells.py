"""Cells of Arrow columns as numbers and as words. What is missing is NaN, or the word -1."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WHOLE = re.compile(r"([+-]?\d+)\.0*")
"""pandas writes a whole number like this where its column has missing cells"""
NO_NUMBER = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


def numbers_in(cells: Any) -> np.ndarray | None:
    """float64 (n,), NaN where a cell is missing or NaN; None if a cell is no number."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = pc.utf8_trim_whitespace(cells)
        cells = pc.if_else(pc.equal(cells, ""), None, cells)
    try:
        return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    except NO_NUMBER:
        return None


def first_no_number(cells: Any) -> int:
    """The place of the first cell that is no number."""
    return next(place for place in range(len(cells)) if numbers_in(cells.slice(place, 1)) is None)


def words_in(cells: Any) -> tuple[np.ndarray, list[str]] | None:
    """The place of each cell's word in a list, int64 (n,), -1 where it is missing, and that list; None without UTF-8 text."""
    try:
        encoded = _texts(cells).dictionary_encode()
        words = [_plain(word) for word in encoded.dictionary.to_pylist()]
    except (*NO_NUMBER, UnicodeDecodeError):
        return None
    return np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64), words


def _texts(cells: Any) -> Any:
    if pa.types.is_boolean(cells.type):
        return pc.if_else(cells, "True", "False")  # as Python and pandas write them
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), None, cells)
    return cells.cast(pa.string())


def _plain(word: str) -> str:
    """A word without blanks around it; 17.0 and 17 are the same word."""
    word = word.strip()
    whole = WHOLE.fullmatch(word)
    return whole[1] if whole else word
