"""The click logs that other people's tools read: ours reads the same."""

import os
from pathlib import Path

import numpy as np
import pytest

from common import InputError
from features.fields import FieldSettings, prepare

CLICKS = Path(os.environ.get("COINDOJO_DATA", Path(__file__).parents[4] / "shared" / "data")) / "ctr"


def real(name: str) -> Path:
    if not (CLICKS / name).exists():
        pytest.skip(f"the click log {CLICKS / name} is not here; COINDOJO_DATA names the folder above it")
    return CLICKS / name


def test_frappe_has_ten_fields_by_position(tmp_path: Path) -> None:
    settings = FieldSettings(libsvm_fields="by_position")
    train = prepare(real("frappe.train.libfm"), settings, folder=tmp_path)
    test = prepare(real("frappe.test.libfm"), settings, train.schema, folder=tmp_path)
    assert (train.n_rows, len(train.field_names), train.block(0).starts[-1]) == (57_722, 10, 577_220)
    lines = real("frappe.train.libfm").read_text().splitlines()
    wanted = {entry.split(":")[0] for line in lines for entry in line.split()[1:]}
    assert train.n_features == len(wanted) == 5_292
    np.testing.assert_array_equal(train.block(0).labels, [float(line.split()[0] == "1") for line in lines])
    assert [train.feature_name(n).split(":")[1] for n in train.block(0).features[:10]] == [e[:-2] for e in lines[0].split()[1:]]
    assert test.notes[1] == "61 of 288,600 entries have features that train never showed; they are left out"


def test_criteo_overlaps_as_in_libffm_and_xlearn(tmp_path: Path) -> None:
    path = real("criteo-small.train.libffm")
    with pytest.raises(
        InputError, match="line 17: a feature belongs to one field, but feature 5525 is in field 7 here and in field 5"
    ):
        prepare(path, FieldSettings(), folder=tmp_path)
    entries = [entry.split(":") for line in path.read_text().splitlines() for entry in line.split()[1:]]
    share = prepare(path, FieldSettings(overlap="share"), folder=tmp_path)
    pairs = prepare(path, FieldSettings(overlap="renumber"), folder=tmp_path)
    assert share.n_features == len({number for _, number, _ in entries})
    assert pairs.n_features == len({(field, number) for field, number, _ in entries})
    np.testing.assert_array_equal(share.block(0).values, np.array([float(value) for _, _, value in entries], np.float32))
    assert [share.field_names[n] for n in share.block(0).fields] == [field for field, _, _ in entries]
