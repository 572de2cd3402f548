"""Rows that are only forecast need no labels, in any format; and labels that are there change nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common import InputError
from features.fields import FORMATS, BlockFile, FieldSettings, prepare

ROWS = [(1, (17, 3)), (0, (4, 5)), (1, (17, 5))]
COLUMNS = ["hour", "site"]
EVERY = pytest.mark.parametrize("name", FORMATS)


def written(name: str, path: Path, labels: list | None) -> Path:
    cells = [row for _, row in ROWS]
    if FORMATS[name].is_table:
        frame = pd.DataFrame(cells, columns=COLUMNS)
        if labels is not None:
            frame.insert(1, "label", labels)
        frame.to_csv(path, index=False) if name == "csv" else frame.to_parquet(path)
        return path
    entries = [" ".join(f"{f}:{n}:1" if name == "libffm" else f"{n}:1" for f, n in enumerate(row)) for row in cells]
    given = [""] * len(cells) if labels is None else [f"{label} " for label in labels]
    path.write_text("".join(f"{label}{line}\n" for label, line in zip(given, entries, strict=True)))
    return path


def arrays(data: BlockFile) -> list[list]:
    rows = data.block(0)
    return [array.tolist() for array in (rows.labels, rows.starts, rows.features, rows.fields, rows.values)]


@EVERY
def test_rows_without_labels_are_those_with_labels(name: str, tmp_path: Path) -> None:
    train = prepare(written(name, tmp_path / "a", [1, 0, 1]), FieldSettings(), folder=tmp_path)
    wanted = [[0, 0, 0], *arrays(train)[1:]]
    for labels in (None, [1, 0, 1], [0, 1, 0], [2, 0.5, -1], ["no", "?", "nan"]):
        path = written(name, tmp_path / "b", labels)
        data = prepare(path, FieldSettings(), train.schema, tmp_path, "ignored")
        assert arrays(data) == wanted
        is_said = "it has no column of labels 'label', and forecasts need none" in data.notes
        assert is_said == (labels is None and FORMATS[name].is_table)


@EVERY
def test_where_labels_are_needed_they_must_be_there(name: str, tmp_path: Path) -> None:
    train = prepare(written(name, tmp_path / "a", [1, 0, 1]), FieldSettings(), folder=tmp_path)
    for schema in (None, train.schema):
        with pytest.raises(InputError, match=r"there is no column of labels 'label'|line 1: a line begins with its label, but"):
            prepare(written(name, tmp_path / "b", None), FieldSettings(), schema, folder=tmp_path)
    with pytest.raises(InputError, match="those of train cannot be ignored"):
        prepare(tmp_path / "a", FieldSettings(), folder=tmp_path, labels="ignored")


@EVERY
def test_a_file_is_kept_once_with_its_labels_and_once_without(name: str, tmp_path: Path) -> None:
    path = written(name, tmp_path / "a", [1, 0, 1])
    train = prepare(path, FieldSettings(), folder=tmp_path)
    ignored = prepare(path, FieldSettings(), train.schema, tmp_path, "ignored")
    needed = prepare(path, FieldSettings(), train.schema, tmp_path)
    assert needed.path != ignored.path
    assert arrays(needed)[0] == [1, 0, 1]


def test_a_table_of_one_column_needs_no_separator(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("label,site\n1,x\n0,y\n")
    (tmp_path / "b").write_text("site\ny\n\nx\n\n")
    train = prepare(tmp_path / "a", FieldSettings(), folder=tmp_path)
    data = prepare(tmp_path / "b", FieldSettings(), train.schema, tmp_path, "ignored")
    np.testing.assert_array_equal(data.block(0).features, [1, 0])
    assert "lines that hold no row, since they are blank or a comment: 1" in data.notes


def test_labels_and_groups_may_stand_in_some_lines(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1 3:1 4:1\n0 3:1\n")
    (tmp_path / "b").write_text("# forecast these\n3:1 4:0.5\n1 4:1\n\nqid:7 3:1\n0 qid:7\n\t4:1 # yes\n")
    train = prepare(tmp_path / "a", FieldSettings(), folder=tmp_path)
    data = prepare(tmp_path / "b", FieldSettings(), train.schema, tmp_path, "ignored")
    assert arrays(data) == [[0] * 5, [0, 2, 3, 4, 4, 5], [0, 1, 1, 0, 1], [0] * 5, [1, 0.5, 1, 1, 1]]
    assert data.notes[1:] == ["qid: tokens, which are ignored: 2", "lines that hold no row, since they are blank or a comment: 1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("3:1\n3:x\n", "line 2: an entry is index:value, with a number as its value, but got '3:x'"),
        ("3:1\n-1:1\n", "line 2: the index of an entry is a whole number from 0"),
        ("3:1\nhello world\n", "line 2: an entry is index:value, but got 'world'"),
    ],
)
def test_a_damaged_line_without_label_is_one_clear_line(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1 3:1 4:1\n0 3:1\n")
    (tmp_path / "b").write_text(text)
    train = prepare(tmp_path / "a", FieldSettings(), folder=tmp_path)
    with pytest.raises(InputError, match=told):
        prepare(tmp_path / "b", FieldSettings(), train.schema, tmp_path, "ignored")
