"""Schemas: learned from train, kept in one file, applied to others; and every setting changes what it says."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from common import InputError
from features.fields import BlockFile, FieldSchema, FieldSettings, prepare

TRAIN = "1 3:7:2 4:8:1\n0 3:7:4 5:9:1\n1 3:6:1 4:7:3\n"
"""feature 7 is in the fields 3 and 4"""


def prepared(text: str, folder: Path, settings: FieldSettings, schema: FieldSchema | None = None) -> BlockFile:
    path = folder / f"{len(list(folder.iterdir()))}.txt"
    path.write_text(text)
    return prepare(path, settings, schema, folder=folder / "cache")


@pytest.mark.parametrize(
    ("overlap", "features", "feature_names"),
    [
        ("renumber", [0, 1, 0, 2, 3, 4], ["3:7", "4:8", "5:9", "3:6", "4:7"]),
        ("share", [0, 1, 0, 2, 3, 0], ["7", "8", "9", "6"]),
    ],
)
def test_a_number_in_two_fields_is_two_features_or_one(overlap, features: list, feature_names: list, tmp_path: Path) -> None:
    data = prepared(TRAIN, tmp_path, FieldSettings(overlap=overlap))
    assert data.block(0).features.tolist() == features
    assert data.block(0).fields.tolist() == [0, 1, 0, 2, 0, 1]
    assert [data.feature_name(n) for n in range(data.n_features)] == feature_names
    assert data.field_names == ("3", "4", "5")


def test_a_number_in_the_field_of_another_is_refused_in_test_as_in_train(tmp_path: Path) -> None:
    train = prepared("1 3:7:1 4:8:1\n", tmp_path, FieldSettings())
    with pytest.raises(
        InputError, match="line 1: a feature belongs to one field, but feature 7 is in field 4 here and in field 3 in train;"
    ):
        prepared("1 4:7:1\n", tmp_path, FieldSettings(), train.schema)


def test_fields_that_train_never_showed_are_left_out_and_said(tmp_path: Path) -> None:
    train = prepared("1 3:7:1 4:8:1\n", tmp_path, FieldSettings())
    test = prepared("1 3:7:1 9:1:1\n0 3:1:1 9:2:1 4:8:0\n", tmp_path, FieldSettings(), train.schema)
    assert test.field_names == train.field_names
    assert test.notes[1:] == [
        "entries left out since their value is 0: 1",
        "3 of 4 entries have features that train never showed (2 of them in fields that train never showed); they are left out",
    ]


def test_fields_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    data = prepared("1 17:1:1 2:2:1\n0 5:3:1\n", tmp_path, FieldSettings())
    assert data.field_names == ("2", "5", "17")
    assert data.block(0).fields.tolist() == [2, 0, 1]


def scaled(method: str, values: np.ndarray) -> np.ndarray:
    if method == "minmax":
        return (values - values.min()) / (values.max() - values.min())
    return (values - values.mean()) / values.std()


@pytest.mark.parametrize("method", ["minmax", "standard"])
def test_values_are_brought_to_one_scale_by_those_of_train(method, tmp_path: Path) -> None:
    """Feature 2 has one value alone and keeps it; a value that becomes 0 is left out."""
    train = prepared("1 1:2 2:1\n0 1:3.5 2:1\n1 1:1\n", tmp_path, FieldSettings(normalize_features=method))
    rows = train.block(0)
    wanted = scaled(method, np.array([2, 3.5, 1]))
    np.testing.assert_allclose(rows.values[rows.features == 0], wanted[wanted != 0], rtol=1e-6)
    assert rows.values[rows.features == 1].tolist() == [1, 1]
    test = prepared("1 1:5 2:7\n", tmp_path, FieldSettings(), train.schema)
    slope = (wanted[1] - wanted[2]) / 2.5
    np.testing.assert_allclose(test.block(0).values, [wanted[1] + 1.5 * slope, 7], rtol=1e-6)


def mixed(number: int) -> int:
    """splitmix64, by the book."""
    bits = (number + 0x9E3779B97F4A7C15) % 2**64
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % 2**64
    return bits ^ (bits >> 31)


def test_a_hash_keeps_fields_apart_unless_they_share(tmp_path: Path) -> None:
    apart = prepared("1 1:7:1 2:7:1\n", tmp_path, FieldSettings(hash_bits=22))
    shared = prepared("1 1:7:1 2:7:1\n", tmp_path, FieldSettings(hash_bits=22, overlap="share"))
    assert apart.block(0).features.tolist() == [mixed(7 ^ mixed(field + 1)) % 2**22 for field in (1, 2)]
    assert shared.block(0).features.tolist() == [mixed(7) % 2**22] * 2
    assert apart.feature_name(5) == "hash 5"


def test_a_schema_comes_back_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,site,price\n1,é,0.5\n0,b,1.5\n1,,2.5\n")
    (tmp_path / "b.csv").write_text("label,site,price\n1,b,0.7\n0,zzz,9\n")
    train = prepare(tmp_path / "a.csv", FieldSettings(bins=3), folder=tmp_path)
    train.schema.save(tmp_path / "schema")
    again = FieldSchema.load(tmp_path / "schema")
    assert again.settings == train.schema.settings
    assert [again.feature_name(n) for n in range(again.n_features)] == [train.feature_name(n) for n in range(train.n_features)]
    again.save(tmp_path / "twice")
    assert (tmp_path / "twice").read_bytes() == (tmp_path / "schema").read_bytes()
    one = prepare(tmp_path / "b.csv", FieldSettings(), train.schema, folder=tmp_path)
    assert prepare(tmp_path / "b.csv", FieldSettings(), again, folder=tmp_path).path == one.path
    with pytest.raises(IndexError, match="features are 0 to"):
        again.feature_name(again.n_features)


def test_a_damaged_schema_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "schema"
    with pytest.raises(InputError, match="there is no file"):
        FieldSchema.load(path)
    prepared("1 1:7:1\n", tmp_path, FieldSettings()).schema.save(path)
    content = path.read_bytes()
    for damaged in (b"", content[:-1], content[:50], b"\0" + content[1:], content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"cannot read .*schema as a schema of fields: .*; write it again from train$"):
            FieldSchema.load(path)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"numeric_columns": "a,b", "categorical_columns": "b"}, "'b' is named twice; keep one of them"),
        ({"numeric_columns": "label"}, "'label' is named twice"),
        ({"hash_bits": 8, "normalize_features": "minmax"}, "hashed features share their numbers"),
        ({"bins": 1}, "greater than or equal to 2"),
        ({"formats": "csv"}, "Extra inputs"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FieldSettings(**settings)
