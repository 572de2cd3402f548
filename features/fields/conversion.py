"""Writes a click-through file in another format, a few megabytes at a time."""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from common import InputError, atomic_file
from features.fields.byte_streams import OnBytes, readable
from features.fields.column_fit import fit_columns
from features.fields.columns import Column
from features.fields.formats import FORMATS, format_of, format_to_write
from features.fields.number_columns import columns_of, tables_of
from features.fields.numbering import Numbering
from features.fields.positions import require_positions
from features.fields.preparation import MEGABYTE, learn_schema
from features.fields.raw_rows import RawRows
from features.fields.settings import FieldSettings
from features.fields.sources import open_source
from features.fields.table_batches import TableBatch
from features.fields.table_cells import first_no_number, numbers_in, words_in
from features.progress import begun


def convert(source: Path, target: Path, settings: FieldSettings) -> list[str]:
    """Write the rows of one file in the format that the name of another ends with; `.gz` behind it zips text.

    Feature numbers stay what they are between libsvm and libffm. Words of a table become numbers, in the order in which they
    come; its numeric columns become bins, or what `numeric` says. Numbers become columns named field_0, field_1, and so on.

    Args:
        source: libsvm, libffm, CSV or Parquet.
        target: the file to write; it is in place once it is whole.
        settings: how the source is read.

    Returns:
        Sentences for people, about what the new file cannot hold.

    Raises:
        InputError: the source is damaged, or the new format cannot hold its rows and no setting has allowed to lose that.
    """
    source, target = Path(source), Path(target)
    name, other = format_of(source, settings), format_to_write(target)
    size = max(source.stat().st_size // MEGABYTE, 1)
    with begun(f"converting {source.name}") as tell:

        def on_bytes(done: int) -> None:
            tell("megabytes", done // MEGABYTE, size)

        parts, notes = _parts(source, name, other, settings, on_bytes)
        _write(parts, source, target, other)
    return notes


def _write(parts: Iterable[Any], source: Path, target: Path, other: str) -> None:
    with readable(target, "written"), atomic_file(target) as file:
        zipped = gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) if target.suffix == ".gz" else None
        writer, empty = FORMATS[other].writer(zipped or file), True
        for part in parts:
            writer.write(part)
            empty = False
        writer.close()
        if zipped is not None:
            zipped.close()
        if empty:
            raise InputError(f"{source} has no rows; name a file with some")


def _parts(source: Path, name: str, other: str, settings: FieldSettings, on_bytes: OnBytes) -> tuple[Iterator[Any], list[str]]:
    """What the writer of the other format writes, and what to say."""
    from_table, to_table = FORMATS[name].is_table, FORMATS[other].is_table
    if from_table:
        return (_retyped if to_table else _numbered_words)(source, name, other, settings, on_bytes)
    rows = open_source(source, name, settings, None, on_bytes)
    if to_table:
        columns = columns_of(rows.chunks(), source)
        note = (
            "fields are columns named field_N; a column of whole numbers is read as categories unless `numeric_columns` names it"
        )
        return tables_of(rows.chunks(), columns, settings.label), [note]
    if (name, other) != ("libffm", "libsvm"):
        return _some(rows.chunks()), []
    if settings.overlap != "renumber":
        return require_positions(_some(rows.chunks()), source, settings.libsvm_fields == "by_position"), []
    return _by_pair(rows.chunks(), source, settings), ["fields are lost; each pair of field and feature has a number of its own"]


def _some(chunks: Iterator[RawRows]) -> Iterator[RawRows]:
    return (raw for raw in chunks if len(raw.labels))


def _by_pair(chunks: Iterator[RawRows], source: Path, settings: FieldSettings) -> Iterator[RawRows]:
    """Feature numbers of which each belongs to one field."""
    numbering = Numbering(source, settings, None, is_table=False)
    for raw in _some(chunks):
        yield _with_numbers(raw, numbering)


def _with_numbers(raw: RawRows, numbering: Numbering) -> RawRows:
    rows = numbering.numbered(raw, raw.labels)
    numbers = rows.features.astype(np.int64)
    return RawRows(raw.labels, rows.starts, rows.fields.astype(np.int32), numbers, rows.values, raw.lines)


def _numbered_words(
    source: Path, name: str, other: str, settings: FieldSettings, on_bytes: OnBytes
) -> tuple[Iterator[RawRows], list[str]]:
    schema = learn_schema(source, name, settings, on_bytes)
    table = open_source(source, name, settings, schema, on_bytes)
    numbering = Numbering(source, settings, schema, is_table=True)
    lost = "words are numbers now; `prepare` of the table keeps their names in its schema"
    notes = [lost, "fields are lost, since libsvm has none"] if other == "libsvm" else [lost]
    return (_with_numbers(raw, numbering) for raw in _some(table.chunks())), notes


def _retyped(source: Path, name: str, other: str, settings: FieldSettings, on_bytes: OnBytes) -> tuple[Iterator[Any], list[str]]:
    """Batches whose labels and numeric columns are float64, and whose other columns are text."""
    each = FORMATS[name]
    columns, notes = fit_columns(each.read(source, on_bytes=on_bytes), settings, source, each.unit)
    batches = each.read(source, on_bytes=on_bytes)
    every = [Column(settings.label, True), *columns]
    return (
        _batch({column.name: _cells(batch, column, f"{source}, {each.unit}") for column in every}) for batch in batches
    ), notes


def _batch(cells: dict[str, Any]) -> Any:
    return pa.RecordBatch.from_pydict(cells)


def _cells(batch: TableBatch, column: Column, where: str) -> Any:
    cells = batch.cells.column(column.name)
    if column.is_numeric:
        numbers = numbers_in(cells)
        if numbers is None:
            place = first_no_number(cells)
            shown = str(cells[place].as_py())[:40]
            raise InputError(f"{where} {batch.lines[place]}: column {column.name!r} is numeric, but holds {shown!r}; correct it")
        return pa.array(numbers, pa.float64(), from_pandas=True)
    found = words_in(cells)
    if found is None:
        raise InputError(
            f"{where} {batch.lines[0]}: cells of column {column.name!r} are {cells.type}, not UTF-8 text; leave it out"
        )
    places, words = found
    return pa.array(words, pa.string()).take(pa.array(places, mask=places < 0))
