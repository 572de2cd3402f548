"""Turns a click-through file into a block file, once: the same file with the same settings is found in the cache."""

import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from common import InputError, atomic_file, hash_of
from features.fields.block_file import BlockFile
from features.fields.block_writer import BlockWriter
from features.fields.byte_streams import OnBytes, writable_cache
from features.fields.formats import FORMATS, format_of
from features.fields.label_rule import LabelRule, Labels, NoLabels
from features.fields.normalisation import FeatureStatistics
from features.fields.numbering import Numbering
from features.fields.rows import FieldRows
from features.fields.schema import FieldSchema
from features.fields.settings import FieldSettings
from features.fields.source_hash import remembered_sha256
from features.fields.sources import Source, open_source
from features.progress import begun

CACHE = Path("cache/fields")
MEGABYTE = 1_000_000
OF_THE_FILE = ("format", "label", "loss")
"""settings that a file has for itself; all others are those of train"""


def prepare(
    path: Path,
    settings: FieldSettings,
    schema: FieldSchema | None = None,
    folder: Path = CACHE,
    labels: Labels = "needed",
) -> BlockFile:
    """The file as blocks of rows, in a binary file that the next call finds again.

    Args:
        path: a libsvm, libffm, CSV or Parquet file.
        settings: how it is read. With a schema, only its format, label and loss count; the rest is that of train.
        schema: of the training file; without one this is the training file, and its schema is learned.
        folder: where block files are kept.
        labels: ignored takes a file with or without them, for rows that are only forecast; all labels are then 0. It needs a
            schema.

    Raises:
        InputError: a file that cannot be read, a damaged line, or labels that the loss cannot learn from.
    """
    if labels == "ignored" and schema is None:
        raise InputError(f"a model learns from labels, so those of train cannot be ignored, but got {path} without a schema")
    path, folder, settings = Path(path), Path(folder), _settings_with(schema, settings)
    name = format_of(path, settings)
    target = folder / f"{_key(path, name, settings, schema, labels, folder)}.fields"
    try:
        return BlockFile(target)
    except InputError:  # not there yet, or damaged
        _write(path, name, settings, schema, labels, target)
    return BlockFile(target)


def learn_schema(path: Path, name: str, settings: FieldSettings, on_bytes: OnBytes) -> FieldSchema:
    """The schema of a training file, without keeping its rows."""
    source = open_source(path, name, settings, None, on_bytes)
    numbering = Numbering(path, settings, None, FORMATS[name].is_table)
    statistics = FeatureStatistics()
    for rows in _rows(source, numbering, LabelRule(path, settings.loss, FORMATS[name].unit)):
        if settings.normalize_features != "none":
            statistics.add(rows, numbering.n_features)
    if settings.normalize_features == "none":
        return _schema(settings, name, source, numbering)
    return _schema(settings, name, source, numbering, *statistics.shift_and_scale(settings.normalize_features))


def _write(path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, labels: Labels, target: Path) -> None:
    size = max(path.stat().st_size // MEGABYTE, 1)
    with begun(f"reading {path.name}") as tell, writable_cache(target.parent), atomic_file(target) as file:

        def on_bytes(done: int) -> None:
            tell("megabytes", done // MEGABYTE, size)

        known = schema
        if known is None and settings.normalize_features != "none":
            known = learn_schema(path, name, settings, on_bytes)
        source = open_source(path, name, settings, known, on_bytes, labels)
        unit = FORMATS[name].unit
        rule = LabelRule(path, settings.loss, unit) if labels == "needed" else NoLabels(unit)
        numbering = Numbering(path, settings, known, FORMATS[name].is_table)
        writer = BlockWriter(file)
        for rows in _rows(source, numbering, rule):
            writer.add(rows)
        _require_rows(path, writer, schema is None)
        known = known or _schema(settings, name, source, numbering)
        writer.finish(known, [_size(path, writer, known), *source.notes, *rule.notes, *_left_out(numbering, writer.n_entries)])


def _rows(source: Source, numbering: Numbering, rule: LabelRule | NoLabels) -> Iterator[FieldRows]:
    for raw in source.chunks():
        yield numbering.numbered(raw, rule.applied(raw.labels, raw.lines))


def _schema(
    settings: FieldSettings,
    name: str,
    source: Source,
    numbering: Numbering,
    shift: np.ndarray | None = None,
    scale: np.ndarray | None = None,
) -> FieldSchema:
    none, numbers, columns = np.zeros(0), numbering.field_numbers, source.columns
    return FieldSchema(
        settings=settings,
        is_table=FORMATS[name].is_table,
        field_numbers=numbers,
        field_names=tuple(columns[number].name if columns else str(number) for number in numbers.tolist()),
        keys=numbering.keys,
        owners=numbering.owners,
        shift=none if shift is None else shift,
        scale=none if scale is None else scale,
        columns=columns,
        words=source.words,
    )


def _settings_with(schema: FieldSchema | None, settings: FieldSettings) -> FieldSettings:
    if schema is None:
        return settings
    own = {name: getattr(settings, name) for name in OF_THE_FILE}
    return FieldSettings(**schema.settings.model_dump() | own)


def _key(path: Path, name: str, settings: FieldSettings, schema: FieldSchema | None, labels: Labels, folder: Path) -> str:
    """Names the block file by all that its content depends on."""
    of_train = None if schema is None else schema.sha256
    own = settings.model_dump(mode="json")
    return hash_of([remembered_sha256(path, folder), name, own, of_train, labels, _code_version()])[:32]


@functools.cache
def _code_version() -> str:
    """Hash of this package's source: a file that an older reader wrote is not found again."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _require_rows(path: Path, writer: BlockWriter, is_train: bool) -> None:
    if not writer.n_rows:
        raise InputError(f"{path} has no rows; name a file with some")
    if is_train and not writer.n_entries:
        raise InputError(f"{path} has labels alone, so there is nothing to learn from; add entries to its rows")


def _size(path: Path, writer: BlockWriter, schema: FieldSchema) -> str:
    return (
        f"{path.name}: {writer.n_rows:,} rows with {writer.n_entries:,} entries; "
        f"{len(schema.field_names):,} fields, {schema.n_features:,} features"
    )


def _left_out(numbering: Numbering, n_entries: int) -> list[str]:
    zeros, unseen, unseen_fields = numbering.left_out
    notes = [f"entries left out since their value is 0: {zeros:,}"] if zeros else []
    if unseen:
        fields = f" ({unseen_fields:,} of them in fields that train never showed)" if unseen_fields else ""
        notes.append(
            f"{unseen:,} of {n_entries + unseen:,} entries have features that train never showed{fields}; they are left out"
        )
    return notes
