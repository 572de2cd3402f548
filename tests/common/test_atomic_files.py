import pytest

from common import write_atomically


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "agent.json"
    write_atomically(path, "old")

    def crash(*_):
        raise OSError("power cut")

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(OSError, match="power cut"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path):
    write_atomically(tmp_path / "a" / "b.bin", b"\0\1")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"\0\1"
