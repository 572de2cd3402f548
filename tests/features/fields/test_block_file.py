"""Block files: the rows come back, damage is noticed, and memory does not grow with the rows."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common import InputError
from features.fields import BLOCK_ROWS, BlockFile, FieldRows, FieldSettings, RowsInMemory, prepare

N_ROWS = 2 * BLOCK_ROWS + 5


@pytest.fixture(scope="module")
def clicks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three blocks, of which only the second holds a value that is not 1."""
    path = tmp_path_factory.mktemp("clicks") / "clicks.libffm"
    lines = [f"{row % 2} 1:{row % 13}:1 2:{20 + row % 7}:1\n" for row in range(N_ROWS)]
    lines[BLOCK_ROWS] = "0 1:5:0.25\n"
    path.write_text("".join(lines))
    return path


def prepared(clicks: Path, folder: Path) -> BlockFile:
    return prepare(clicks, FieldSettings(), folder=folder)


def in_memory(data: BlockFile) -> RowsInMemory:
    blocks = [
        FieldRows(*(getattr(data.block(n), name).copy() for name in FieldRows.__annotations__)) for n in range(data.n_blocks)
    ]
    lengths = np.concatenate([np.diff(rows.starts) for rows in blocks])
    labels, features, fields, values = (
        np.concatenate([getattr(rows, name) for rows in blocks]) for name in ("labels", "features", "fields", "values")
    )
    rows = FieldRows(labels, np.concatenate([[0], lengths.cumsum()]), features, fields, values)
    return RowsInMemory(rows, data.field_names, data.n_features, [data.feature_name(n) for n in range(data.n_features)])


def test_rows_come_back_in_blocks(clicks: Path, tmp_path: Path) -> None:
    data = prepared(clicks, tmp_path)
    assert (data.n_rows, data.n_blocks, data.n_features, data.field_names) == (N_ROWS, 3, 20, ("1", "2"))
    assert [len(data.block(n)) for n in range(3)] == [BLOCK_ROWS, BLOCK_ROWS, 5]
    middle = data.block(1)
    assert middle.starts[:3].tolist() == [0, 1, 3]
    assert middle.values[:3].tolist() == [0.25, 1, 1]
    assert data.feature_name(int(middle.features[0])) == "1:5"
    assert (data.block(2).values == 1).all()
    with pytest.raises(IndexError, match="there are 3 blocks, but block 3 was asked for"):
        data.block(3)


def test_values_of_1_take_no_space(clicks: Path, tmp_path: Path) -> None:
    data = prepared(clicks, tmp_path)
    assert [place.has_values for place in data._places] == [False, True, False]
    assert data._places[1].n_bytes - data._places[0].n_bytes > 3 * 2 * BLOCK_ROWS


def test_rows_in_memory_are_the_same_data(clicks: Path, tmp_path: Path) -> None:
    data = prepared(clicks, tmp_path)
    memory = in_memory(data)
    assert memory.sha256 == data.sha256
    assert (memory.n_rows, memory.n_blocks, memory.feature_name(3)) == (data.n_rows, data.n_blocks, data.feature_name(3))
    for n in range(3):
        for name in FieldRows.__annotations__:
            left, right = getattr(memory.block(n), name), getattr(data.block(n), name)
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype


def test_a_block_file_goes_to_another_process(clicks: Path, tmp_path: Path) -> None:
    data = prepared(clicks, tmp_path)
    other = pickle.loads(pickle.dumps(data))
    np.testing.assert_array_equal(other.block(1).features, data.block(1).features)


def test_other_content_has_another_hash_and_other_settings_another_file(clicks: Path, tmp_path: Path) -> None:
    data = prepared(clicks, tmp_path)
    changed = tmp_path / "changed"
    changed.write_text(clicks.read_text().replace("0.25", "0.5"))
    assert prepare(changed, FieldSettings(), folder=tmp_path).sha256 != data.sha256
    prepare(clicks, FieldSettings(overlap="renumber"), folder=tmp_path)
    assert len(list(tmp_path.glob("*.fields"))) == 3


DAMAGES = {
    "half written": lambda content: content[: len(content) // 2],
    "cut by a byte": lambda content: content[:-1],
    "empty": lambda content: b"",
    "another file": lambda content: b"something else" * 100,
    "another header": lambda content: content[:10] + bytes([content[10] ^ 1]) + content[11:],
    "another footer": lambda content: content[:-5] + b"     ",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_block_file_is_noticed_and_written_once_more(damage: str, clicks: Path, tmp_path: Path) -> None:
    data = prepared(clicks, tmp_path)
    data.path.write_bytes(DAMAGES[damage](data.path.read_bytes()))
    with pytest.raises(InputError, match=r"the block file .* is damaged: .*; delete it, and it is written once more$"):
        BlockFile(data.path)
    assert prepared(clicks, tmp_path).sha256 == data.sha256


def test_a_damaged_block_is_noticed_when_it_is_read(clicks: Path, tmp_path: Path) -> None:
    path = prepared(clicks, tmp_path).path
    content = bytearray(path.read_bytes())
    content[1_000] ^= 1
    path.write_bytes(content)
    data = BlockFile(path)
    with pytest.raises(InputError, match="block 0 is not what was written; delete it"):
        data.block(0)
    data.block(1)


def test_rows_in_memory_hold_the_rules_of_rows() -> None:
    def rows(**changes: np.ndarray) -> FieldRows:
        good = {"labels": np.ones(1, "f4"), "starts": np.array([0, 2]), "features": np.array([0, 1], "i4")}
        return FieldRows(**good | {"fields": np.array([0, 1], "u2"), "values": np.ones(2, "f4")} | changes)

    assert RowsInMemory(rows(), ("a", "b"), 2).feature_name(1) == "1"
    for changes, words in (
        ({"labels": np.ones(1)}, "`labels` of rows must be float32"),
        ({"features": np.array([0, 2], "i4")}, "numbers of features must be 0 to 1, but got 2"),
        ({"features": np.array([0, -1], "i4")}, "numbers of features must be 0 to 1, but got -1"),
        ({"fields": np.array([0, 2], "u2")}, "numbers of fields must be 0 to 1, but got 2"),
        ({"values": np.array([0, 1], "f4")}, "no value may be 0"),
        ({"values": np.ones(3, "f4")}, "rows of 2 features have 2 fields and 3 values"),
        ({"starts": np.array([0, 1])}, "`starts` of 1 rows must go from 0 to 2"),
    ):
        with pytest.raises(InputError, match=words):
            RowsInMemory(rows(**changes), ("a", "b"), 2)
    with pytest.raises(InputError, match="each of 2 features needs one name, but got 1 names"):
        RowsInMemory(rows(), ("a", "b"), 2, ["one"])


MEMORY = """
import sys
from pathlib import Path
from features.fields import FieldSettings, prepare
path, folder = Path(sys.argv[1]), Path(sys.argv[2])
numbers = lambda row: " ".join(f"{field}:{field * 1000 + row * (field + 1) % 997}:1" for field in range(34))
part = "".join(f"{row % 2} {numbers(row)}\\n" for row in range(10_000))
with path.open("w") as file:
    for _ in range(int(sys.argv[3])):
        file.write(part)
data = prepare(path, FieldSettings(), folder=folder)
total = sum(int(data.block(n).features.sum()) for n in range(data.n_blocks))
assert data.n_rows == 10_000 * int(sys.argv[3]) and total > 0
# not ru_maxrss, which begins with what the process that started this one takes
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the most memory that was taken")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """A million rows of 34 fields, 313 MB of text, and a tenth of them."""

    def kilobytes(parts: int) -> int:
        command = [sys.executable, "-c", MEMORY, str(tmp_path / f"{parts}.libffm"), str(tmp_path / str(parts)), str(parts)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
        return int(done.stdout)

    few, many = kilobytes(10), kilobytes(100)
    assert many < 600_000
    assert many - few < 100_000


def test_a_source_that_has_not_changed_is_not_read_again(clicks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.fields.source_hash.SETTLED_NS", -1)
    path = tmp_path / "clicks"
    path.write_bytes(clicks.read_bytes())
    first = prepared(path, tmp_path)
    monkeypatch.setattr("features.fields.source_hash.sha256_of", lambda path: pytest.fail("it was read"))
    assert prepared(path, tmp_path).path == first.path
    monkeypatch.undo()
    path.write_text("1 1:1:1\n")
    assert prepared(path, tmp_path).n_rows == 1


def test_a_source_that_was_just_written_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "clicks"
    for text, n_rows in (("1 1:1:1\n", 1), ("1 1:1:1\n0 1:1:1\n", 2)):
        path.write_text(text)
        assert prepared(path, tmp_path).n_rows == n_rows
    assert not list(tmp_path.glob("*.source"))
