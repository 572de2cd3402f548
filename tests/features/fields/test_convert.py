"""Converted files hold the same rows, and what a format cannot hold is refused or said."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common import InputError
from features.fields import BlockFile, FieldSettings, convert, prepare

LIBFFM = "1 0:17:1 1:3:1 2:101:0.5\n0 0:4:1 2:101:-2.25\n1 0:17:1 1:5:1\n"
"""with a gap, and a field that has values"""
DEFAULTS = FieldSettings()
POSITIONS = FieldSettings(libsvm_fields="by_position")


def rows_of(path: Path, settings: FieldSettings = DEFAULTS) -> BlockFile:
    return prepare(path, settings, folder=path.parent / "cache")


def require_same(one: Path, other: Path, settings: FieldSettings = DEFAULTS) -> None:
    left, right = rows_of(one, settings).block(0), rows_of(other, settings).block(0)
    for name in ("labels", "starts", "features", "fields", "values"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


@pytest.fixture
def libffm(tmp_path: Path) -> Path:
    path = tmp_path / "a.libffm"
    path.write_text(LIBFFM)
    return path


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_gaps_and_values_go_into_a_table_and_come_back(ending: str, libffm: Path, tmp_path: Path) -> None:
    table, back = tmp_path / f"b.{ending}", tmp_path / "c.libffm"
    as_values = FieldSettings(numeric="value")
    (note,) = convert(libffm, table, as_values)
    assert "fields are columns named field_N" in note
    require_same(libffm, table, as_values)
    convert(table, back, as_values)
    require_same(libffm, back)


def test_numbers_of_features_stay_between_libsvm_and_libffm(tmp_path: Path) -> None:
    path, there, back = tmp_path / "a.libsvm", tmp_path / "b.ffm.gz", tmp_path / "c.svm"
    path.write_text("-1 7:1 900:0.25\n1 8:1 900:1\n")
    assert convert(path, there, POSITIONS) == []
    assert gzip.decompress(there.read_bytes()) == b"-1 0:7:1 1:900:0.25\n1 0:8:1 1:900:1\n"
    assert convert(there, back, POSITIONS) == []
    assert back.read_text() == path.read_text()


def test_fields_are_not_lost_in_silence(libffm: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.libsvm"
    with pytest.raises(InputError, match=r"line 1: libsvm has no fields, so field 1 would be lost; set `overlap` to renumber"):
        convert(libffm, target, FieldSettings())
    with pytest.raises(InputError, match=r"line 2: fields by position need 3 entries in each line, but got 2"):
        convert(libffm, target, POSITIONS)
    assert not target.exists()
    (note,) = convert(libffm, target, FieldSettings(overlap="renumber"))
    assert note.startswith("fields are lost")
    assert target.read_text() == "1 0:1 1:1 2:0.5\n0 3:1 2:-2.25\n1 0:1 4:1\n"


def test_fields_in_another_order_are_not_taken_for_positions(tmp_path: Path) -> None:
    path = tmp_path / "a.libffm"
    path.write_text("1 0:1:1 1:2:1\n0 1:2:1 0:1:1\n")
    with pytest.raises(InputError, match="line 2: libsvm has no fields, so field 1 would be lost"):
        convert(path, tmp_path / "b.libsvm", POSITIONS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 0:1:1 0:2:1\n", "line 1: a cell holds one entry, but field 0 has two here; keep it as libffm or libsvm"),
        ("1 0:1:1\n0 0:2:0.5\n", "but field 0 of .* has several features with values other than 1; keep it"),
    ],
)
def test_what_no_cell_can_hold_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.libffm"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        convert(path, tmp_path / "b.csv", FieldSettings())


def test_words_become_numbers_and_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("label,site,price\n1,news,0.5\n0,shop,1.5\n1,,2.5\n")
    notes = convert(path, tmp_path / "b.libffm", FieldSettings(bins=2))
    assert notes == ["words are numbers now; `prepare` of the table keeps their names in its schema"]
    assert (tmp_path / "b.libffm").read_text() == "1 0:0:1 1:1:1\n0 0:2:1 1:3:1\n1 1:3:1\n"
    assert convert(path, tmp_path / "b.libsvm", FieldSettings())[1] == "fields are lost, since libsvm has none"


def test_tables_keep_their_words_and_numbers(tmp_path: Path) -> None:
    path, there, back = tmp_path / "a.csv", tmp_path / "b.parquet", tmp_path / "c.csv"
    path.write_text('label,site,price\n1,"a, b",0.5\n0,,1.5\n1,17,\n')
    assert convert(path, there, FieldSettings()) == []
    frame = pd.read_parquet(there)
    assert frame["site"].fillna("missing").tolist() == ["a, b", "missing", "17"]
    assert frame["price"].dtype == "float64"
    convert(there, back, FieldSettings())
    pd.testing.assert_frame_equal(pd.read_csv(back), pd.read_csv(path), check_dtype=False)


def test_an_unknown_ending_is_refused(libffm: Path, tmp_path: Path) -> None:
    for name in ("b.txt", "b", "b.parquet.gz"):
        with pytest.raises(InputError, match=r"is known by the end of its name, which must be \.libsvm, .*, or with \.gz behind"):
            convert(libffm, tmp_path / name, FieldSettings())


def test_a_damaged_source_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.libffm"
    path.write_text("1 0:1:1\n" * 10 + "1 0:1:x\n")
    with pytest.raises(InputError, match="line 11"):
        convert(path, tmp_path / "b.csv", FieldSettings())
    assert [file.name for file in tmp_path.iterdir()] == ["a.libffm"]
