"""The compiled half of the numbering: a hash table from the numbers of a file to those of a model, from 0 on without a gap."""

from typing import NamedTuple

import numpy as np
from numba import njit

from common import cached

COUNT, ZEROS, UNSEEN, UNSEEN_FIELDS = range(4)
"""places in `Table.counts`"""
NO_FEATURE = -1
"""id of an empty slot"""


class Table(NamedTuple):
    """Features that are known, and what was left out.

    Attributes:
        slot_keys: int64 (s,), the key that each slot holds; s is a power of two.
        slot_ids: int32 (s,), the feature of that key, or `NO_FEATURE`.
        keys: int64 (s // 2,), the key of each feature; the first `counts[COUNT]` are in use.
        owners: uint16 (s // 2,), the field in which each feature was first seen.
        counts: int64 (4,), of features, of values 0, of entries with an unknown feature, of those in an unknown field.
    """

    slot_keys: np.ndarray
    slot_ids: np.ndarray
    keys: np.ndarray
    owners: np.ndarray
    counts: np.ndarray


class Rules(NamedTuple):
    """How features are numbered.

    Attributes:
        by_pair: whether the same number in two fields is two features.
        alone: whether a number may occur in one field only.
        growing: whether features that are not known become known.
        hash_mask: a hash with these bits numbers the features; 0 has a table.
    """

    by_pair: bool
    alone: bool
    growing: bool
    hash_mask: int


@cached(njit, nogil=True)
def mix(number):  # type: ignore[no-untyped-def]
    """splitmix64 (Steele, Lea and Flood 2014): every bit of the number changes half of the 64 bits."""
    bits = np.uint64(number) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@cached(njit, nogil=True)
def place_keys(slot_keys, slot_ids, keys, count):  # type: ignore[no-untyped-def]
    """Fill an empty table with the first `count` keys."""
    last = len(slot_keys) - 1
    for feature in range(count):
        slot = np.int64(mix(keys[feature]) & np.uint64(last))
        while slot_ids[slot] != NO_FEATURE:
            slot = (slot + 1) & last
        slot_keys[slot], slot_ids[slot] = keys[feature], feature


@cached(njit, nogil=True)
def number_rows(row, raw, dense_fields, rules, table, shift, scale, out):  # type: ignore[no-untyped-def]
    """Number the entries of rows from `row` on, until the table is too small for the next row.

    Args:
        row: the first row; what was written for those before it is kept.
        raw: RawRows.
        dense_fields: int32 (65536,), the field of each field number of the file; -1 is not known.
        rules: Rules.
        table: Table, written to.
        shift, scale: float64 (D,), a value becomes (value - shift) * scale of its feature; empty arrays leave values as they are.
        out: starts int64 (n + 1,), features int32 (m,), fields uint16 (m,), values float32 (m,).

    Returns:
        The row to go on with, and the entry whose number belongs to another field, or -1.
    """
    labels, starts, fields, numbers, values, _ = raw  # local, since numba counts references to a tuple's arrays at each use
    slot_keys, slot_ids, keys, owners, counts = table
    last = len(slot_keys) - 1
    out_starts, out_features, out_fields, out_values = out
    end = out_starts[row]
    while row < len(labels):
        if rules.growing and counts[COUNT] + starts[row + 1] - starts[row] > len(keys):
            return row, -1
        for entry in range(starts[row], starts[row + 1]):
            value = np.float64(values[entry])
            if value == 0:
                counts[ZEROS] += 1
                continue
            raw_field, number = np.int64(fields[entry]), numbers[entry]
            field = dense_fields[raw_field]
            if field < 0 or number < 0:
                counts[UNSEEN] += 1
                counts[UNSEEN_FIELDS] += field < 0
                continue
            if rules.hash_mask:
                key = np.uint64(number) ^ mix(raw_field + 1) if rules.by_pair else np.uint64(number)
                feature = np.int64(mix(key) & np.uint64(rules.hash_mask))
            else:
                wanted = raw_field << 32 | number if rules.by_pair else number
                slot = np.int64(mix(wanted) & np.uint64(last))
                while slot_ids[slot] != NO_FEATURE and slot_keys[slot] != wanted:
                    slot = (slot + 1) & last
                feature = np.int64(slot_ids[slot])
                if feature == NO_FEATURE:
                    if not rules.growing:
                        counts[UNSEEN] += 1
                        continue
                    feature = counts[COUNT]
                    slot_keys[slot], slot_ids[slot] = wanted, feature
                    keys[feature], owners[feature] = wanted, field
                    counts[COUNT] += 1
                if rules.alone and owners[feature] != field:
                    return row, entry
            if len(shift):
                value = (value - shift[feature]) * scale[feature]
            out_values[end] = value
            if out_values[end] == 0:
                counts[ZEROS] += 1
                continue
            out_features[end], out_fields[end] = feature, field
            end += 1
        row += 1
        out_starts[row] = end
    return row, -1


@cached(njit, nogil=True)
def measure(features, values, counts, means, squares, lows, highs):  # type: ignore[no-untyped-def]
    """Add entries to the statistics of their features (Welford 1962): number, mean, sum of squared deviations, least, largest."""
    for entry in range(len(features)):
        feature, value = features[entry], np.float64(values[entry])
        counts[feature] += 1
        away = value - means[feature]
        means[feature] += away / counts[feature]
        squares[feature] += away * (value - means[feature])
        lows[feature] = min(lows[feature], value)
        highs[feature] = max(highs[feature], value)
