"""A file to be read as raw rows, whatever its format, once or twice; and what is to be said about it afterwards."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from common import InputError
from features.fields.byte_streams import OnBytes
from features.fields.column_fit import feature_columns, fit_columns
from features.fields.columns import Column
from features.fields.formats import FORMATS
from features.fields.positions import by_position
from features.fields.raw_rows import RawRows
from features.fields.schema import FieldSchema
from features.fields.settings import FieldSettings
from features.fields.table_batches import TableBatch, require_columns
from features.fields.table_rows import TableRows

FEW_COLUMNS = 20
"""names that a note lists"""


class NumberSource:
    """A libsvm or libffm file.

    Args:
        path: the file.
        name: its format.
        settings: how fields of libsvm are found.
        schema: of train; None for train itself.
        on_bytes: is told how far the reading is.
    """

    def __init__(self, path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, on_bytes: OnBytes) -> None:
        self._path, self._format, self._on_bytes = path, FORMATS[name], on_bytes
        self._by_position = name == "libsvm" and settings.libsvm_fields == "by_position"
        self._n_fields = len(schema.field_names) if schema else 0
        self._qids = 0
        self.columns: tuple[Column, ...] = ()
        self.words: tuple[tuple[str, ...], ...] = ()

    def chunks(self) -> Iterator[RawRows]:
        """All rows of the file, each time it is called."""
        self._qids = 0
        rows = self._format.read(self._path, on_bytes=self._on_bytes, on_qids=self._count)
        return by_position(rows, self._path, self._n_fields) if self._by_position else rows

    @property
    def notes(self) -> list[str]:
        return [f"qid: tokens, which are ignored: {self._qids:,}"] if self._qids else []

    def _count(self, qids: int) -> None:
        self._qids += qids


class TableSource:
    """A CSV or Parquet file; the arguments are those of `NumberSource`. Without a schema it is read once to fit its columns."""

    def __init__(self, path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, on_bytes: OnBytes) -> None:
        self._path, self._format, self._settings = path, FORMATS[name], settings
        self._read: Callable[[], Iterator[TableBatch]] = lambda: self._format.read(path, on_bytes=on_bytes)
        self._schema = schema
        self._others: list[str] = []
        self.words: tuple[tuple[str, ...], ...] = ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        if self._schema is not None:
            return self._schema.columns
        return fit_columns(self._read(), self._settings, self._path, self._format.unit)

    def chunks(self) -> Iterator[RawRows]:
        """All rows of the file, each time it is called."""
        known = None if self._schema is None else self._schema.words
        unit, label, hashed = self._format.unit, self._settings.label, self._settings.hash_bits > 0
        rows = TableRows(self._path, unit, label, self.columns, known, hashed)
        for batch in self._read():
            self._require(batch.cells.schema.names)
            yield rows.rows(batch)
        self.words = rows.words

    @property
    def notes(self) -> list[str]:
        notes = [f"columns that train does not have are ignored: {_listed(self._others)}"] if self._others else []
        if self._schema is None:
            numeric = [column.name for column in self.columns if column.is_numeric]
            words = [column.name for column in self.columns if not column.is_numeric]
            notes.append(f"numeric columns: {_listed(numeric)}; categories: {_listed(words)}")
        return notes

    def _require(self, names: list[str]) -> None:
        wanted = [column.name for column in self.columns]
        require_columns(self._path, names, wanted, "column of train")
        self._others = [
            name for name in feature_columns(names, FieldSettings(label=self._settings.label), self._path) if name not in wanted
        ]


Source = NumberSource | TableSource


def open_source(path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, on_bytes: OnBytes) -> Source:
    """The source of a file in that format.

    Raises:
        InputError: the file is a table and train was none, or the other way round; or a setting that its format does not have.
    """
    is_table = FORMATS[name].is_table
    if schema is not None and schema.is_table != is_table:
        kinds = {True: "columns with names", False: "features with numbers"}
        raise InputError(f"train has {kinds[schema.is_table]}, but {path} has {kinds[is_table]}; convert one of the files")
    if is_table and settings.normalize_features != "none":
        raise InputError(
            f"`normalize_features` is for features of libsvm and libffm files, but {path} is {name}; `numeric` treats its columns"
        )
    return (TableSource if is_table else NumberSource)(path, name, settings, schema, on_bytes)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - FEW_COLUMNS} more" if len(names) > FEW_COLUMNS else ""
    return (", ".join(" ".join(name.split()) for name in names[:FEW_COLUMNS]) or "none") + more
