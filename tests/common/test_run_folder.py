"""Run folders: each run has one of its own, and what keeps it from being made is one line."""

import pytest

from common import RunError, new_run


def test_each_run_has_a_number_of_its_own(tmp_path):
    (tmp_path / "runs" / "train-002").mkdir(parents=True)
    assert [new_run(tmp_path / "runs", "train").name for _ in range(2)] == ["train-001", "train-003"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "runs").write_text("")
    with pytest.raises(
        RunError, match=r"runs/train-001 cannot be made \(.*runs is a file\); make .*runs a writable folder, or run"
    ):
        new_run(tmp_path / "runs", "train")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(RunError, match=r"train-001 cannot be made \(Permission denied\)"):
        new_run(tmp_path, "train")
