"""Columns of CSV and Parquet files: categories, numeric columns and what is missing, all learned from train alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common import InputError
from features.fields import BlockFile, FieldSettings, prepare
from features.fields.column_fit import SAMPLE_ROWS

RNG = np.random.default_rng(5)
BOTH = pytest.mark.parametrize("ending", ["csv", "parquet"])


def written(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def names(data: BlockFile) -> list[list[str]]:
    rows = data.block(0)
    return [[data.feature_name(int(n)) for n in rows[i : i + 1].features] for i in range(len(rows))]


def table(**columns: list) -> pd.DataFrame:
    n_rows = len(next(iter(columns.values())))
    return pd.DataFrame({"label": [row % 2 for row in range(n_rows)], **columns})


@BOTH
def test_words_integers_and_flags_are_categories_and_a_missing_cell_is_no_entry(ending: str, tmp_path: Path) -> None:
    frame = table(hour=[17.0, None, 4.0], site=["a, b", "NA", None], new=[True, False, True])
    data = prepare(written(frame, tmp_path / f"a.{ending}"), FieldSettings(), folder=tmp_path)
    assert names(data) == [["hour=17", "site=a, b", "new=True"], ["site=NA", "new=False"], ["hour=4", "new=True"]]
    assert "numeric columns: none; categories: hour, site, new" in data.notes
    assert data.field_names == ("hour", "site", "new")


@BOTH
def test_a_fraction_makes_a_column_numeric_and_its_bins_hold_equally_many_rows(ending: str, tmp_path: Path) -> None:
    frame = table(price=RNG.exponential(size=1_000).tolist(), hour=RNG.integers(0, 24, 1_000).tolist())
    data = prepare(written(frame, tmp_path / f"a.{ending}"), FieldSettings(bins=8), folder=tmp_path)
    rows = data.block(0)
    counts = np.unique(rows.features[rows.fields == 0], return_counts=True)[1]
    assert counts.tolist() == [125] * 8
    assert any(name.startswith("price=[") for row in names(data) for name in row)
    assert "numeric columns: price; categories: hour" in data.notes


def test_edges_are_those_of_train(tmp_path: Path) -> None:
    train = prepare(written(table(price=[0.5, 1.5, 2.5, 3.5]), tmp_path / "a.csv"), FieldSettings(bins=2), folder=tmp_path)
    assert names(train) == [["price=(-inf, 2)"], ["price=(-inf, 2)"], ["price=[2, inf)"], ["price=[2, inf)"]]
    other = written(table(price=[-100, 100, 2, 1.999, None]), tmp_path / "b.csv")
    test = prepare(other, FieldSettings(), train.schema, folder=tmp_path)
    assert test.block(0).features.tolist() == [0, 1, 1, 0]
    assert test.block(0).starts.tolist() == [0, 1, 2, 3, 4, 4]


@BOTH
def test_standardised_values_have_mean_0_and_deviation_1_in_train(ending: str, tmp_path: Path) -> None:
    settings = FieldSettings(numeric="standard", label="click")
    prices = RNG.normal(20, 3, 70_000)
    frame = table(price=prices.tolist()).rename(columns={"label": "click"})
    train = prepare(written(frame, tmp_path / f"a.{ending}"), settings, folder=tmp_path)
    values = np.concatenate([train.block(n).values.copy() for n in range(train.n_blocks)])
    np.testing.assert_allclose(values, (prices - prices.mean()) / prices.std(), rtol=1e-4, atol=1e-6)
    others = np.array([20.0, 26.0, 14.0, 20.5, 19.5])
    other = written(frame.iloc[:5].assign(price=others), tmp_path / f"b.{ending}")
    test = prepare(other, settings, train.schema, folder=tmp_path)
    np.testing.assert_allclose(test.block(0).values, (others - prices.mean()) / prices.std(), rtol=1e-3, atol=1e-6)


@BOTH
def test_values_are_taken_as_they_are_and_zeros_are_left_out_and_said(ending: str, tmp_path: Path) -> None:
    path = written(table(price=[0.5, 0.0, -3.0, None]), tmp_path / f"a.{ending}")
    data = prepare(path, FieldSettings(numeric="value"), folder=tmp_path)
    assert names(data) == [["price"], [], ["price"], []]
    assert data.block(0).values.tolist() == [0.5, -3]
    assert "entries left out since their value is 0: 1" in data.notes


@BOTH
def test_the_user_names_what_is_numeric(ending: str, tmp_path: Path) -> None:
    path = written(table(age=[30, 40], price=[0.5, 1.0]), tmp_path / f"a.{ending}")
    settings = FieldSettings(numeric="value", numeric_columns=("age",), categorical_columns=("price",))
    assert names(prepare(path, settings, folder=tmp_path)) == [["age", "price=0.5"], ["age", "price=1"]]


FRACTIONS = [f"{row}.5" for row in range(40)]


def lines(cells: list[str], path: Path) -> Path:
    path.write_text("label;price\n" + "".join(f"{row % 2};{cell}\n" for row, cell in enumerate(cells)))
    return path


@pytest.mark.parametrize("cell", ["inf", "1,5", "n/a", "1e999"])
@pytest.mark.parametrize("place", [0, 3, 40])
def test_it_is_said_which_cell_made_a_category_of_numbers(cell: str, place: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("features.fields.table_batches.BATCH_BYTES", 100)
    path = lines([*FRACTIONS[:place], cell, *FRACTIONS[place:]], tmp_path / "a.csv")
    data = prepare(path, FieldSettings(), folder=tmp_path)
    said = (
        f"column 'price' is a category, since line {place + 2} holds '{cell}', though 97.6% of its cells are numbers; correct "
        "such cells to make it numeric, or name it in `categorical_columns`"
    )
    assert said in data.notes
    assert data.n_features == 41
    named = prepare(path, FieldSettings(categorical_columns=("price",)), folder=tmp_path)
    assert not any("is a category, since" in note for note in named.notes)


def test_an_infinite_number_of_parquet_is_said_too(tmp_path: Path) -> None:
    path = written(table(price=[*(row + 0.5 for row in range(20)), float("inf")]), tmp_path / "a.parquet")
    assert any("since row 21 holds 'inf', though 95.2%" in note for note in prepare(path, FieldSettings(), folder=tmp_path).notes)


@pytest.mark.parametrize("cells", [["a", "b", "0.5"], ["1", "2", "x"], [*FRACTIONS, *"abcde"], ["1,2,3", "4,5"]])
def test_nothing_is_said_of_words_and_of_whole_numbers(cells: list[str], tmp_path: Path) -> None:
    data = prepare(lines(cells, tmp_path / "a.csv"), FieldSettings(), folder=tmp_path)
    assert data.notes[1:] == ["numeric columns: none; categories: price"]


@pytest.mark.parametrize(
    ("cells", "line", "shown"),
    [
        (["0,5", "1,5"], 2, "0,5"),
        (["1", "2", "-2,25", ""], 4, "-2,25"),
        (["0.5", "1,5"], 3, "1,5"),
        (["n/a", *(cell.replace(".", ",") for cell in FRACTIONS)], 3, "0,5"),
    ],
)
def test_numbers_with_a_decimal_comma_are_refused(cells: list[str], line: int, shown: str, tmp_path: Path) -> None:
    path = lines(cells, tmp_path / "a.csv")
    with pytest.raises(
        InputError,
        match=f"line {line}: numbers have a decimal point, but column 'price' holds '{shown}'; write points for commas, or name",
    ):
        prepare(path, FieldSettings(), folder=tmp_path)
    assert prepare(path, FieldSettings(categorical_columns=("price",)), folder=tmp_path).n_rows == len(cells)
    train = prepare(lines(FRACTIONS, tmp_path / "b.csv"), FieldSettings(), folder=tmp_path)
    if "n/a" not in cells:
        with pytest.raises(
            InputError, match=f"line {line}: .* is a finite number, but got '{shown}'; write a point for the comma"
        ):
            prepare(path, FieldSettings(), train.schema, folder=tmp_path)


def test_columns_are_found_by_name_and_those_that_train_lacks_are_said(tmp_path: Path) -> None:
    train = prepare(written(table(hour=[1, 2], site=["a", "b"]), tmp_path / "a.csv"), FieldSettings(), folder=tmp_path)
    other = written(table(site=["b", "a"], extra=[1, 1], hour=[1, 2]), tmp_path / "b.csv")
    test = prepare(other, FieldSettings(), train.schema, folder=tmp_path)
    assert names(test) == [["hour=1", "site=b"], ["hour=2", "site=a"]]
    assert "columns that train does not have are ignored: extra" in test.notes


def test_bins_of_a_long_file_come_from_a_sample_of_all_its_rows(tmp_path: Path) -> None:
    n_rows = 3 * SAMPLE_ROWS
    path = written(table(price=(np.arange(n_rows) / n_rows).tolist()), tmp_path / "a.parquet")
    data = prepare(path, FieldSettings(bins=4), folder=tmp_path)
    (column,) = data.schema.columns
    np.testing.assert_allclose(column.edges, [0.25, 0.5, 0.75], atol=0.01)
