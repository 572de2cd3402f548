"""Each damaged file is one clear line: the rule, the value, the place and what to do."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings as budget, strategies as st

from common import InputError
from features.fields import FieldSettings, prepare

LIBSVM, LIBFFM = FieldSettings(format="libsvm"), FieldSettings(format="libffm")
CSV = FieldSettings(format="csv", numeric_columns=("price",))

DAMAGED = {
    "label": (b"1 1:1\nyes 2:1\n", LIBSVM, "line 2: a line begins with a label that is a number, but got 'yes'"),
    "no label": (b"1 1:1\n2:1 3:1\n", LIBSVM, "line 2: a line begins with its label, but got '2:1'; write 0 or 1"),
    "NaN label": (b"nan 1:1\n", LIBSVM, "line 1: a label must be a finite number, but got 'nan'"),
    "no value": (b"1 1:1 5\n", LIBSVM, "line 1: an entry is index:value, but got '5'"),
    "empty value": (b"1 1: 5:1\n", LIBSVM, "line 1: an entry is index:value, with a number as its value, but got '1:'"),
    "word as value": (b"# c\n\n1 1:x\n", LIBSVM, "line 3: an entry is index:value, with a number as its value, but got '1:x'"),
    "NaN": (b"1 1:nan\n", LIBSVM, "line 1: a value must be finite, in float32, but got '1:nan'; leave the entry out"),
    "infinite": (b"1 1:-inf\n", LIBSVM, "a value must be finite, in float32, but got '1:-inf'"),
    "too large a value": (b"1 1:1e39\n", LIBSVM, "a value must be finite, in float32, but got '1:1e39'"),
    "negative index": (b"1 -1:1\n", LIBSVM, "the index of an entry is a whole number from 0 to 2147483647, but got '-1:1'"),
    "large index": (b"1 2147483648:1\n", LIBSVM, "from 0 to 2147483647, but got '2147483648:1'; renumber it"),
    "huge index": (b"1 " + b"9" * 90 + b":1\n", LIBSVM, "but got '" + "9" * 40 + "...'; renumber it"),
    "fraction as index": (b"1 1.5:1\n", LIBSVM, "the index of an entry is a whole number from 0 to"),
    "large field": (b"1 65536:1:1\n", LIBFFM, "the field of an entry is a whole number from 0 to 65535, but got '65536:1:1'"),
    "libffm in libsvm": (
        b"1 1:1\n1 0:1:1\n",
        LIBSVM,
        "line 2: an entry of a libsvm file is index:value, but got '0:1:1'; set `format` to",
    ),
    "libsvm in libffm": (
        b"1 0:1:1\n1 1:1\n",
        LIBFFM,
        "line 2: an entry of a libffm file is field:index:value, but got '1:1'; set `form",
    ),
    "no UTF-8": (b"1 1:1\n1 1:\xff\n", LIBSVM, r"line 2: an entry is index:value, with a number as its value, but got '1:\xff'"),
    "NUL": (b"1 1:1\0\n", LIBSVM, r"line 1: an entry is index:value, with a number as its value, but got '1:1\x00'"),
    "lines of old Macs": (
        b"1 1:1\r0 2:1\r",
        LIBSVM,
        r"line 1: an entry is index:value, with a number as its value, but got '1:1\r0'",
    ),
    "empty": (b"", FieldSettings(), "is empty; name a file with rows"),
    "blank": (b"\n \n", FieldSettings(), "is empty; name a file with rows"),
    "blank behind a mark of UTF-8": (b"\xef\xbb\xbf\n", FieldSettings(), "is empty; name a file with rows"),
    "comments": (b"# none\n", LIBSVM, "has no rows; name a file with some"),
    "labels alone": (b"1\n0\n", LIBSVM, "has labels alone, so there is nothing to learn from"),
    "labels alone, in some format": (b"1\n-1.0\n", FieldSettings(), "has labels alone; add entries to its rows"),
    "no label, in some format": (
        b"2:1 3:1\n",
        FieldSettings(),
        "line 1: a line begins with its label, but got '2:1'; write 0 or 1",
    ),
    "no format in a word": (
        b"garbage\n",
        FieldSettings(),
        "begins with 'garbage', by which no format is recognised; set `format` to",
    ),
    "no format": (
        b"once upon a time\n",
        FieldSettings(),
        "begins with 'once upon a time', by which no format is recognised; set",
    ),
    "two fields": (
        b"1 0:5:1\n1\n\n1 0:7:1\n1 5:9:1 1:7:1\n",
        LIBFFM,
        "line 5: a feature belongs to one field, but feature 7 is in field 1 here and in field 0 in line 4; set `overlap`",
    ),
    "short row": (
        b"1 1:1 2:1\n1 1:1\n",
        FieldSettings(libsvm_fields="by_position"),
        "line 2: fields by position need 2 entries in each line, but got 1; complete it, or set `libsvm_fields`",
    ),
    "header alone": (b"label,a\n", CSV.model_copy(update={"numeric_columns": ()}), "has no rows; name a file with some"),
    "no label column": (b"lable,a\n1,2\n", FieldSettings(), "there is no column of labels 'label'; did you mean 'lable'?"),
    "label column alone": (b"label\n1\n", FieldSettings(), "has no column beside its label 'label'"),
    "named column": (b"label,a\n1,2\n", CSV, "there is no column 'price'"),
    "ragged": (
        b"label,a\n\n1,2\r\n0,3,4\n",
        FieldSettings(),
        "line 4: a line has as many cells as the header, 2, but got 3; put a cell that holds ',' into quotes, and write numbers",
    ),
    "latin": (
        b"label,a,b\n1,2,3\n1,2,\xe9\n",
        FieldSettings(),
        "line 3: a CSV file is UTF-8 text, but got the byte 0xE9 in column 'b'; save it as UTF-8",
    ),
    "latin header": (
        b"label,\xe9\n1,2\n",
        FieldSettings(),
        "line 1: a CSV file is UTF-8 text, but got the byte 0xE9; save it as",
    ),
    "UTF-16": (
        "label,a\n1,2\n".encode("utf-16"),
        FieldSettings(),
        "line 1: a CSV file is text, but got a NUL byte; save it as UTF-8",
    ),
    "NUL in a table": (b"label,a\n1,2\n1,\0\n", FieldSettings(), "line 3: a CSV file is text, but got a NUL byte"),
    "open quote": (
        b'label,a\n1,"x\n0,y\n',
        FieldSettings(),
        "line 2: a quote must be closed in its line, but '\"x' is not; close it",
    ),
    "open quote that another one ends": (
        b'label,a\n0,y\n1,"x\n0,"y"\n',
        FieldSettings(),
        "line 3: a quote must be closed in its line",
    ),
    "line end in quotes": (b'label,a\n1,"x\n0,y"\n', FieldSettings(), "line 2: a quote must be closed in its line"),
    "open quote in the header": (
        b'label,"a\n1,2\n',
        FieldSettings(),
        "line 1: a quote must be closed in its line, but '\"a' is not",
    ),
    "no header": (
        b"1,2\n0,3\n",
        FieldSettings(),
        "line 1: the first line names the columns, but got '1,2'; put a line with names",
    ),
    "line of megabytes": (
        b"label,a\n1," + b"x" * 5_000_000 + b"\n",
        FieldSettings(),
        "line 2: a line has at most 4 MiB, but got 5,000,002",
    ),
    "same names": (b"label,a,a\n1,2,3\n", FieldSettings(), "needs a name of its own, but 'a' is the name of two or of none"),
    "missing label": (b"label,a\n1,2\n,3\n", FieldSettings(), "line 3: the label is missing; complete or remove the line"),
    "word as label": (
        b"label,a\n1,2\nno,3\n",
        FieldSettings(),
        "line 3: a label in column 'label' is a finite number, but got 'no'",
    ),
    "word as number": (b"label,price\n1,2\n0,cheap\n", CSV, "line 3: column 'price' is numeric, but holds 'cheap'; correct it"),
    "infinite number": (b"label,price\n1,2\n0,inf\n", CSV, "line 3: column 'price' is numeric, but holds 'inf'"),
    "no Parquet": (b"PAR1 but not for long", FieldSettings(), "is damaged: "),
    "normalised table": (b"label,a\n1,2\n", FieldSettings(normalize_features="minmax"), "`numeric` treats its columns"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_clear_line(name: str, tmp_path: Path) -> None:
    content, settings, words = DAMAGED[name]
    path = tmp_path / "clicks"
    path.write_bytes(content)
    with pytest.raises(InputError) as told:
        prepare(path, settings, folder=tmp_path / "cache")
    assert words in str(told.value)
    assert str(path) in str(told.value)
    assert len(str(told.value).splitlines()) == 1
    assert not list(tmp_path.glob("cache/*"))


@pytest.mark.parametrize(("place", "words"), [("none", "there is no file"), ("", "is a folder; name a file in it")])
def test_a_file_that_is_not_there_is_one_clear_line(place: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        prepare(tmp_path / place, FieldSettings(), folder=tmp_path)


@pytest.mark.parametrize("settled_ns", [-1, 10**18])
@pytest.mark.parametrize("place", ["a", "a/cache", "locked"])
def test_a_cache_that_cannot_be_written_is_one_clear_line(
    place: str, settled_ns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "some temporary name")

    (tmp_path / "a").write_bytes(b"1 1:1\n")
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr("features.fields.source_hash.SETTLED_NS", settled_ns)
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    reason = "Permission denied" if place == "locked" else f"{tmp_path}/a is a file"
    with pytest.raises(InputError) as told:
        prepare(tmp_path / "a", FieldSettings(), folder=tmp_path / place)
    assert str(told.value) == (
        f"rows are kept in the folder {tmp_path / place}, but it cannot be written ({reason}); make it writable, or run in "
        "another folder"
    )


def test_the_line_is_right_behind_the_first_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "clicks"
    path.write_bytes(b"1 1:1 2:1\n" * 900_000 + b"1 x:1\n")
    with pytest.raises(InputError, match=r"line 900001: the index"):
        prepare(path, LIBSVM, folder=tmp_path)


def test_a_table_is_not_read_by_the_schema_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1 1:1\n")
    (tmp_path / "b").write_bytes(b"label,a\n1,2\n")
    train = prepare(tmp_path / "a", FieldSettings(), folder=tmp_path)
    with pytest.raises(
        InputError, match=r"train has features with numbers, but .* has columns with names; convert one of the files"
    ):
        prepare(tmp_path / "b", FieldSettings(), train.schema, folder=tmp_path)


SOUND = {
    "libsvm": b"1 1:1 2:0.5\n-1 3:1 # c\n1\t4:2e-1 1:1 \n",
    "libffm": b"0 0:1:1 1:2:0.5\n1 0:3:1\n",
    "csv": b'label,hour,site,price\n1,17,"a, b",0.5\n0,4,,1.25\n',
    "parquet": b"",
}
CHANGES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4)


@budget(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(SOUND)), changes=CHANGES, cut=st.integers(0, 3_000), automatic=st.booleans())
def test_changed_bytes_give_rows_or_one_line(tmp_path_factory, name: str, changes: list, cut: int, automatic: bool) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    content = bytearray(SOUND[name] or _parquet(folder))
    for place, byte in changes:
        content[place % len(content)] = byte
    (folder / "clicks").write_bytes(content[: cut or None])
    settings = FieldSettings() if automatic else FieldSettings(format=name)
    told = ""
    try:
        data = prepare(folder / "clicks", settings, folder=folder)
        assert len(data.block(0)) == data.n_rows
    except InputError as error:
        told = str(error)
    assert len(told.splitlines()) <= 1


def _parquet(folder: Path) -> bytes:
    frame = pd.DataFrame({"label": [1, 0], "hour": [17, 4], "site": ["a", None], "price": [0.5, 1.25]})
    frame.to_parquet(folder / "frame")
    return (folder / "frame").read_bytes()
