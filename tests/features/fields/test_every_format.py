"""What every format promises: the same table gives the same rows, however it is written."""

import gzip
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from common import InputError
from features.fields import FORMATS, BlockFile, FieldSettings, convert, prepare
from features.fields.formats import format_of
from features.fields.settings import FORMAT_NAMES

ROWS = [(1, (17, 3, 101)), (0, (4, None, 101)), (1, (17, 3, 102)), (0, (4, 5, None)), (0, (None, 3, 103))]
WHOLE = [(1, (17, 3, 101)), (0, (4, 5, 101)), (1, (17, 3, 102))]
"""without gaps, as libsvm needs them to have fields by position"""
COLUMNS = ["hour", "site", "user"]
SETTINGS = {"libsvm": FieldSettings(libsvm_fields="by_position")}
TEXT = [name for name in FORMATS if name != "parquet"]


def write(name: str, path: Path, rows: list, minus: bool = False) -> Path:
    frame = pd.DataFrame([cells for _, cells in rows], columns=COLUMNS).astype("Int64")
    frame.insert(1, "label", [-1 if minus and not label else label for label, _ in rows])
    if name == "csv":
        frame.to_csv(path, index=False)
    elif name == "parquet":
        frame.to_parquet(path)
    else:
        path.write_text("".join(_line(name, row) for row in frame.itertuples(index=False)))
    return path


def _line(name: str, row) -> str:
    cells = [(field, cell) for field, cell in enumerate((row.hour, row.site, row.user)) if cell is not pd.NA]
    entries = [f"{field}:{cell}:1" if name == "libffm" else f"{cell}:1" for field, cell in cells]
    return " ".join([str(row.label), *entries]) + "\n"


def arrays(data: BlockFile) -> list[np.ndarray]:
    rows = data.block(0)
    return [rows.labels.copy(), rows.starts.copy(), rows.features.copy(), rows.fields.copy(), rows.values.copy()]


def require_same(one: BlockFile, other: BlockFile) -> None:
    for left, right in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype
    assert one.n_features == other.n_features


def test_the_settings_know_every_format() -> None:
    assert tuple(FORMATS) == FORMAT_NAMES
    assert get_args(FieldSettings.model_fields["format"].annotation) == ("auto", *FORMATS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("minus", [False, True])
def test_the_same_table_reads_to_the_same_rows(name: str, minus: bool, tmp_path: Path) -> None:
    rows = WHOLE if name == "libsvm" else ROWS
    given = prepare(write(name, tmp_path / "a", rows, minus), SETTINGS.get(name, FieldSettings()), folder=tmp_path)
    wanted = prepare(write("libffm", tmp_path / "b", rows), FieldSettings(), folder=tmp_path)
    require_same(given, wanted)
    labels, starts, features, fields, values = arrays(given)
    if rows is ROWS:
        np.testing.assert_array_equal(labels, [1, 0, 1, 0, 0])
        np.testing.assert_array_equal(starts, [0, 3, 5, 8, 10, 12])
        np.testing.assert_array_equal(features, [0, 1, 2, 3, 2, 0, 1, 4, 3, 5, 1, 6])
        np.testing.assert_array_equal(fields, [0, 1, 2, 0, 2, 0, 1, 2, 0, 1, 1, 2])
        assert (values == 1).all()


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_is_recognised_by_the_content(name: str, tmp_path: Path) -> None:
    assert format_of(write(name, tmp_path / "a", ROWS), FieldSettings()) == name


@pytest.mark.parametrize("name", TEXT)
def test_gzipped_text_reads_to_the_same_rows(name: str, tmp_path: Path) -> None:
    plain, zipped = write(name, tmp_path / "a", WHOLE), tmp_path / "a.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    settings = SETTINGS.get(name, FieldSettings())
    require_same(prepare(plain, settings, folder=tmp_path), prepare(zipped, settings, folder=tmp_path))


@pytest.mark.parametrize("name", TEXT)
def test_a_gzip_file_that_was_cut_off_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(write(name, tmp_path / "a", ROWS * 100).read_bytes())[:-20])
    with pytest.raises(InputError, match=r"damaged gzip file .* copy it once more$"):
        prepare(path, SETTINGS.get(name, FieldSettings(format=name)), folder=tmp_path)


@pytest.mark.parametrize("name", TEXT)
def test_lines_of_windows_read_to_the_same_rows(name: str, tmp_path: Path) -> None:
    plain, windows = write(name, tmp_path / "a", WHOLE), tmp_path / "b"
    windows.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    settings = SETTINGS.get(name, FieldSettings())
    require_same(prepare(plain, settings, folder=tmp_path), prepare(windows, settings, folder=tmp_path))


@pytest.mark.parametrize("name", FORMATS)
def test_what_train_never_showed_is_left_out_and_said(name: str, tmp_path: Path) -> None:
    settings = SETTINGS.get(name, FieldSettings())
    train = prepare(write(name, tmp_path / "a", WHOLE), settings, folder=tmp_path)
    other = write(name, tmp_path / "b", [(1, (17, 99, 102)), (0, (4, 3, 98))])
    test = prepare(other, settings, train.schema, folder=tmp_path)
    np.testing.assert_array_equal(test.block(0).features, [0, 5, 3, 1])
    assert test.n_features == train.n_features
    assert "2 of 6 entries have features that train never showed; they are left out" in test.notes


@pytest.mark.parametrize("name", FORMATS)
def test_a_hash_numbers_the_same_features_in_every_file(name: str, tmp_path: Path) -> None:
    settings = SETTINGS.get(name, FieldSettings()).model_copy(update={"hash_bits": 20})
    train = prepare(write(name, tmp_path / "a", WHOLE), settings, folder=tmp_path)
    turned = prepare(write(name, tmp_path / "b", WHOLE[::-1]), settings, train.schema, folder=tmp_path)
    assert train.n_features == 2**20
    np.testing.assert_array_equal(train.block(0).features.reshape(3, 3)[::-1], turned.block(0).features.reshape(3, 3))
    assert len(set(train.block(0).features.tolist())) == 6


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bad", [2, 0.5])
def test_a_label_that_the_logistic_loss_cannot_learn_is_refused_and_the_squared_one_takes_it(
    name: str, bad: float, tmp_path: Path
) -> None:
    path = write(name, tmp_path / "a", [*WHOLE, (bad, WHOLE[0][1])])
    settings = SETTINGS.get(name, FieldSettings())
    with pytest.raises(InputError, match=rf"(line|row) [45]: a label is 0 or 1, or -1 or 1, but got {bad}; set `loss`"):
        prepare(path, settings, folder=tmp_path)
    squared = prepare(path, settings.model_copy(update={"loss": "squared"}), folder=tmp_path)
    np.testing.assert_array_equal(squared.block(0).labels, [1, 0, 1, bad])


@pytest.mark.parametrize("name", FORMATS)
def test_labels_of_both_kinds_are_refused(name: str, tmp_path: Path) -> None:
    path = write(name, tmp_path / "a", [*WHOLE, (-1, WHOLE[0][1])])
    with pytest.raises(InputError, match=r"has -1 in (line|row) [45] and 0 in (line|row) [23]; write one of them for both"):
        prepare(path, SETTINGS.get(name, FieldSettings()), folder=tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_parsed_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, settings = write(name, tmp_path / "a", WHOLE), SETTINGS.get(name, FieldSettings())
    first = prepare(path, settings, folder=tmp_path)
    monkeypatch.setattr("features.fields.preparation.open_source", None)
    assert prepare(path, settings, folder=tmp_path).sha256 == first.sha256


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("other", FORMATS)
def test_every_format_becomes_every_other_and_keeps_its_rows(name: str, other: str, tmp_path: Path) -> None:
    """A table's words become numbers, which are not those of the file any more; the rows are the same."""
    path = write(name, tmp_path / "a", WHOLE)
    target = tmp_path / f"b{FORMATS[other].endings[0]}"
    positions = FieldSettings(libsvm_fields="by_position")
    convert(path, target, positions)
    assert format_of(target, FieldSettings()) == other
    one = prepare(path, positions, folder=tmp_path)
    two = prepare(target, positions, folder=tmp_path)
    require_same(one, two)


@pytest.mark.parametrize("name", ["libsvm", "libffm"])
def test_a_feature_that_a_row_names_twice_counts_twice(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1 3:1 3:0.5\n" if name == "libsvm" else "1 0:3:1 0:3:0.5\n")
    rows = prepare(path, FieldSettings(), folder=tmp_path).block(0)
    assert (rows.features.tolist(), rows.values.tolist()) == ([0, 0], [1, 0.5])
