"""Numbers fields and features from 0 on without a gap: in train in the order in which they come, elsewhere as train did."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from common import InputError
from features.fields.byte_parser import LARGEST_FIELD
from features.fields.numbering_kernel import COUNT, UNSEEN, UNSEEN_FIELDS, ZEROS, Rules, Table, number_rows, place_keys
from features.fields.raw_rows import RawRows
from features.fields.rows import FieldRows
from features.fields.schema import FieldSchema
from features.fields.settings import FieldSettings

FIRST_SLOTS = 1 << 12
Place = Callable[[int], str]
"""a row of the file, in words"""
NOTHING = np.zeros(0)


class Numbering:
    """What is known of fields and features so far.

    Args:
        path: the file, for messages.
        settings: how features are numbered.
        known: None learns the numbers from the rows; a schema numbers them as train did, and leaves out what train never showed.
        is_table: fields are columns, so that features are numbered within them.
    """

    def __init__(self, path: Path, settings: FieldSettings, known: FieldSchema | None, is_table: bool) -> None:
        by_pair = is_table or (settings.overlap == "renumber" if not settings.hash_bits else settings.overlap != "share")
        alone = not by_pair and not settings.hash_bits and settings.overlap == "refuse"
        mask = (1 << settings.hash_bits) - 1 if settings.hash_bits else 0
        self._rules = Rules(by_pair, alone, known is None and not mask, mask)
        self._path, self._learns_fields = path, known is None
        self._dense_fields = np.full(LARGEST_FIELD + 1, -1, np.int32)
        self._field_numbers: list[int] = []
        self._shift: np.ndarray = NOTHING if known is None else known.shift
        self._scale: np.ndarray = NOTHING if known is None else known.scale
        self._table = _table(NOTHING.astype(np.int64), NOTHING.astype(np.uint16), FIRST_SLOTS)
        if known is not None:
            self._add_fields(known.field_numbers)
            self._table = _table(known.keys, known.owners, _slots_for(len(known.keys)))

    def numbered(self, raw: RawRows, labels: np.ndarray) -> FieldRows:
        """The rows with their labels, and with the numbers of the model.

        Raises:
            InputError: a number in two fields, where `overlap` refuses that.
        """
        if self._learns_fields:
            self._add_fields(np.flatnonzero(np.bincount(raw.fields, minlength=1)))
        n_entries = len(raw.fields)
        features, fields = np.empty(n_entries, np.int32), np.empty(n_entries, np.uint16)
        starts, values = np.zeros(len(labels) + 1, np.int64), np.empty(n_entries, np.float32)
        row = self._number_from(0, raw, (starts, features, fields, values))
        while row < len(labels):
            self._grow()
            row = self._number_from(row, raw, (starts, features, fields, values))
        end = starts[-1]
        return FieldRows(labels, starts, features[:end], fields[:end], values[:end])

    @property
    def field_numbers(self) -> np.ndarray:
        """int32 (F,): the number that each field has in the file."""
        return np.array(self._field_numbers, np.int32)

    @property
    def keys(self) -> np.ndarray:
        """int64 (D,): the key of each feature."""
        return self._table.keys[: self._table.counts[COUNT]].copy()

    @property
    def owners(self) -> np.ndarray:
        """uint16 (D,): the field in which each feature was first seen."""
        return self._table.owners[: self._table.counts[COUNT]].copy()

    @property
    def n_features(self) -> int:
        return self._rules.hash_mask + 1 if self._rules.hash_mask else int(self._table.counts[COUNT])

    @property
    def left_out(self) -> tuple[int, int, int]:
        """Entries with a value of 0, with a feature that train never showed, and of those the ones in an unknown field."""
        counts = self._table.counts
        return int(counts[ZEROS]), int(counts[UNSEEN]), int(counts[UNSEEN_FIELDS])

    def _add_fields(self, numbers: np.ndarray) -> None:
        """In increasing order within one call: a file whose first rows show all fields has them sorted."""
        for number in numbers[self._dense_fields[numbers] < 0].tolist():
            self._dense_fields[number] = len(self._field_numbers)
            self._field_numbers.append(number)

    def _number_from(self, row: int, raw: RawRows, out: tuple[np.ndarray, ...]) -> int:
        row, bad = number_rows(row, raw, self._dense_fields, self._rules, self._table, self._shift, self._scale, out)
        if bad >= 0:
            raise self._overlap(raw, row, bad)
        return row

    def _grow(self) -> None:
        table, count = self._table, self._table.counts[COUNT]
        larger = _table(table.keys[:count], table.owners[:count], 2 * len(table.slot_keys))
        larger.counts[:] = table.counts
        self._table = larger

    def _overlap(self, raw: RawRows, row: int, entry: int) -> InputError:
        number, field = int(raw.numbers[entry]), int(raw.fields[entry])
        owner = self._field_numbers[self._table.owners[np.flatnonzero(self.keys == number)[0]]]
        place = "in train" if not self._learns_fields else "in an earlier line"
        earlier = np.flatnonzero((raw.numbers[:entry] == number) & (raw.fields[:entry] == owner) & (raw.values[:entry] != 0))
        if self._learns_fields and len(earlier):  # else it is in rows that are no longer in memory
            place = f"in line {raw.lines[np.searchsorted(raw.starts, earlier[0], side='right') - 1]}"
        return InputError(
            f"{self._path}, line {raw.lines[row]}: a feature belongs to one field, but feature {number} is in field {field} here "
            f"and in field {owner} {place}; set `overlap` to renumber to make it two features, or "
            "to share to keep it one, as libffm and xLearn do"
        )


def _slots_for(n_keys: int) -> int:
    return max(FIRST_SLOTS, 1 << (2 * n_keys).bit_length())


def _table(keys: np.ndarray, owners: np.ndarray, n_slots: int) -> Table:
    """A table that holds these features, and is at most half full."""
    room = n_slots // 2
    slots = np.zeros(n_slots, np.int64), np.full(n_slots, -1, np.int32)
    table = Table(*slots, np.zeros(room, np.int64), np.zeros(room, np.uint16), np.array([len(keys), 0, 0, 0], np.int64))
    table.keys[: len(keys)], table.owners[: len(keys)] = keys, owners
    place_keys(*slots, table.keys, len(keys))
    return table
