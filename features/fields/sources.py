"""A file to be read as raw rows, whatever its format, once or twice; and what is to be said about it afterwards."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from common import InputError
from features.fields.byte_streams import OnBytes
from features.fields.column_fit import fit_columns
from features.fields.columns import Column
from features.fields.formats import FORMATS
from features.fields.label_rule import Labels
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
        labels: whether the file must have some.
    """

    def __init__(
        self, path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, on_bytes: OnBytes, labels: Labels
    ) -> None:
        self._path, self._format, self._on_bytes, self._labelled = path, FORMATS[name], on_bytes, labels == "needed"
        self._by_position = name == "libsvm" and settings.libsvm_fields == "by_position"
        self._n_fields = len(schema.field_names) if schema else 0
        self._qids = 0
        self.columns: tuple[Column, ...] = ()
        self.words: tuple[tuple[str, ...], ...] = ()

    def chunks(self) -> Iterator[RawRows]:
        """All rows of the file, each time it is called."""
        self._qids = 0
        rows = self._format.read(self._path, on_bytes=self._on_bytes, on_qids=self._count, labelled=self._labelled)
        return by_position(rows, self._path, self._n_fields) if self._by_position else rows

    @property
    def notes(self) -> list[str]:
        return [f"qid: tokens, which are ignored: {self._qids:,}"] if self._qids else []

    def _count(self, qids: int) -> None:
        self._qids += qids


class TableSource:
    """A CSV or Parquet file; the arguments are those of `NumberSource`. Without a schema it is read once to fit its columns."""

    def __init__(
        self, path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, on_bytes: OnBytes, labels: Labels
    ) -> None:
        self._path, self._format, self._settings, self._labelled = path, FORMATS[name], settings, labels == "needed"
        self._read: Callable[[], Iterator[TableBatch]] = lambda: self._format.read(path, on_bytes=on_bytes)
        self._schema = schema
        self._others: list[str] = []
        self._lacks_labels = False
        self.words: tuple[tuple[str, ...], ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._fit[0]

    @cached_property
    def _fit(self) -> tuple[tuple[Column, ...], list[str]]:
        if self._schema is not None:
            return self._schema.columns, []
        return fit_columns(self._read(), self._settings, self._path, self._format.unit)

    def chunks(self) -> Iterator[RawRows]:
        """All rows of the file, each time it is called."""
        known = None if self._schema is None else self._schema.words
        label = self._settings.label if self._labelled else None
        rows = TableRows(self._path, self._format.unit, label, self.columns, known, self._settings.hash_bits > 0)
        for batch in self._read():
            self._require(batch.cells.schema.names)
            yield rows.rows(batch)
        self.words = rows.words

    @property
    def notes(self) -> list[str]:
        notes = [f"it has no column of labels {self._settings.label!r}, and forecasts need none"] if self._lacks_labels else []
        if self._others:
            notes.append(f"columns that train does not have are ignored: {_listed(self._others)}")
        if self._schema is None:
            numeric = [column.name for column in self.columns if column.is_numeric]
            words = [column.name for column in self.columns if not column.is_numeric]
            notes.append(f"numeric columns: {_listed(numeric)}; categories: {_listed(words)}")
            notes += self._fit[1]
        return notes

    def _require(self, names: list[str]) -> None:
        label, wanted = self._settings.label, [column.name for column in self.columns]
        if self._labelled:
            require_columns(self._path, names, [label], "column of labels")
        require_columns(self._path, names, wanted, "column of train")
        self._others = [name for name in names if name not in (label, *wanted)]
        self._lacks_labels = label not in names


Source = NumberSource | TableSource


def open_source(
    path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, on_bytes: OnBytes, labels: Labels = "needed"
) -> Source:
    """The source of a file in that format; the arguments are those of `NumberSource`.

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
    return (TableSource if is_table else NumberSource)(path, name, settings, schema, on_bytes, labels)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - FEW_COLUMNS} more" if len(names) > FEW_COLUMNS else ""
    return (", ".join(" ".join(name.split()) for name in names[:FEW_COLUMNS]) or "none") + more
