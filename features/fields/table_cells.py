"""Cells of Arrow columns as numbers and as words. What is missing is NaN, or the word -1."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

WHOLE = re.compile(r"([+-]?\d+)\.0*")
"""pandas writes a whole number like this where its column has missing cells"""
NUMBER = r"^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?[nN][aA][nN])$"
DECIMAL_COMMA = r"^[+-]?\d*,\d+$"
NO_NUMBER = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


def numbers_in(cells: Any) -> np.ndarray | None:
    """float64 (n,), NaN where a cell is missing or NaN; None if a cell is no number."""
    cells = _trimmed(cells)
    try:
        return np.asarray(cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    except NO_NUMBER:
        return None


def first_no_number(cells: Any) -> int:
    """The place of the first cell that is no number."""
    return next(place for place in range(len(cells)) if numbers_in(cells.slice(place, 1)) is None)


def numbers_among(cells: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The numbers in a column that holds other cells, too.

    Returns:
        float64 (n,), NaN where a cell is missing or no finite number; bool (n,), which are no finite numbers; bool (n,), which
        of these have a decimal comma.
    """
    cells = _trimmed(cells)
    if not _is_text(cells):
        numbers = numbers_in(cells)
        words = np.asarray(cells.is_valid()) if numbers is None else np.isinf(numbers)
        return (
            np.full(len(cells), np.nan) if numbers is None else np.where(words, np.nan, numbers),
            words,
            np.zeros(len(cells), bool),
        )
    is_number = pc.match_substring_regex(cells, NUMBER)
    numbers = numbers_in(pc.if_else(is_number, cells, None))
    is_word = _flags(pc.invert(is_number))
    if numbers is None:
        return np.full(len(cells), np.nan), is_word, np.zeros(len(cells), bool)
    too_large = np.isinf(numbers)
    return np.where(too_large, np.nan, numbers), is_word | too_large, _flags(pc.match_substring_regex(cells, DECIMAL_COMMA))


def words_in(cells: Any) -> tuple[np.ndarray, list[str]] | None:
    """The place of each cell's word in a list, int64 (n,), -1 where it is missing, and that list; None without UTF-8 text."""
    try:
        encoded = _texts(cells).dictionary_encode()
        words = [_plain(word) for word in encoded.dictionary.to_pylist()]
    except (*NO_NUMBER, UnicodeDecodeError):
        return None
    return np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64), words


def _trimmed(cells: Any) -> Any:
    """Cells that are no dictionary; texts without blanks around them, missing where nothing is left."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if not _is_text(cells):
        return cells
    cells = pc.utf8_trim_whitespace(cells)
    return pc.if_else(pc.equal(cells, ""), None, cells)


def _is_text(cells: Any) -> bool:
    return bool(pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type))


def _flags(booleans: Any) -> np.ndarray:
    """bool (n,), False where an answer is missing."""
    return np.asarray(booleans.fill_null(False).to_numpy(zero_copy_only=False), bool)


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
