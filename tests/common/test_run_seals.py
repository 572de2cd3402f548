"""Seals of the files of a run folder: an edit by hand is refused with what it changed, and a kill never looks like one."""

import json
import os

import pytest

import common.run_seals
from common import RunError, require_seal, sealed_content, write_and_seal, write_json_and_seal

CONFIG = "split: {train: 0.6, validation: 0.2}\nenv: {fee_bps: 10.0}\n"


@pytest.fixture
def config(tmp_path):
    write_and_seal(tmp_path / "config.yaml", CONFIG)
    return tmp_path / "config.yaml"


def test_what_was_written_passes_however_it_is_laid_out(config):
    assert require_seal(config)
    config.write_text("# mine\nenv:\n  fee_bps: 1.0e+1\nsplit:\n  validation: 0.2\n  train: 0.60\n")
    assert require_seal(config)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("train: 0.6", "train: 0.7", "split.train: 0.6 -> 0.7"),
        (", validation: 0.2", "", "split.validation: 0.2 -> None"),
        ("10.0}", "10.0, lot: 1}", "env.lot: None -> 1"),
        (CONFIG, "", "split"),
        (CONFIG, "][", "] ->|\\]\\["),
    ],
)
def test_an_edit_is_refused_with_the_setting_and_both_values(config, before, now, said):
    config.write_text(CONFIG.replace(before, now))
    with pytest.raises(RunError, match=said) as error:
        require_seal(config)
    assert "\n" not in str(error.value)
    assert "restore that, or begin a new run" in str(error.value)


def test_a_place_in_a_list_is_named_and_few_differences_are_told(tmp_path):
    path = tmp_path / "training.json"
    write_json_and_seal(path, {"validation": [{"step": step, "log_growth": 0.1} for step in range(20)]})
    path.write_text(path.read_text().replace("0.1", "0.3"))
    with pytest.raises(RunError, match=r"validation\.0\.log_growth: 0\.1 -> 0\.3; .*and 15 more \(as written -> now\)"):
        require_seal(path)


def test_a_file_without_a_seal_is_told_apart(config, tmp_path):
    (tmp_path / "training.json").write_text("{}")
    assert not require_seal(tmp_path / "training.json")
    assert sealed_content(tmp_path / "training.json") is None
    (tmp_path / "seals.json").unlink()
    assert not require_seal(config)


def test_what_a_file_said_is_known_after_it_is_gone(tmp_path):
    write_json_and_seal(tmp_path / "metrics.json", {"test_range_openings": 3})
    (tmp_path / "metrics.json").unlink()
    assert sealed_content(tmp_path / "metrics.json") == {"test_range_openings": 3}


def test_an_edited_seal_is_refused(config, tmp_path):
    seals = tmp_path / "seals.json"
    seals.write_text(seals.read_text().replace("0.6", "0.7"))
    config.write_text(CONFIG.replace("0.6", "0.7"))
    with pytest.raises(RunError, match=r"but its config\.yaml was edited"):
        require_seal(config)
    seals.write_text("{")
    with pytest.raises(RunError, match="cannot read"):
        require_seal(config)


@pytest.mark.parametrize("survived", range(4))
def test_a_kill_between_any_two_writes_is_no_edit(config, monkeypatch, survived):
    """Three files are put in place: a seal of both contents, the file, a seal of the new one."""
    replaced = 0
    replace = os.replace

    def dying(*paths):
        nonlocal replaced
        if replaced == survived:
            raise KeyboardInterrupt
        replaced += 1
        replace(*paths)

    monkeypatch.setattr(os, "replace", dying)
    if survived < 3:
        with pytest.raises(KeyboardInterrupt):
            write_and_seal(config, CONFIG.replace("0.6", "0.7"))
    else:
        write_and_seal(config, CONFIG.replace("0.6", "0.7"))
    monkeypatch.setattr(os, "replace", replace)
    assert require_seal(config)
    assert ("0.7" in config.read_text()) == (survived >= 2)
    write_and_seal(config, CONFIG)
    assert len(json.loads((config.parent / "seals.json").read_text())["config.yaml"]) == 1
    assert require_seal(config)


def test_a_file_that_is_being_replaced_is_looked_at_again(config, monkeypatch):
    """A backtest may read a run whose training replaces a file between the two reads."""
    was = config.read_text()
    write_and_seal(config, CONFIG.replace("0.6", "0.7"))
    now, config_now = config.read_text(), config
    config.write_text(was)  # as the reader saw it
    monkeypatch.setattr(common.run_seals.time, "sleep", lambda seconds: config_now.write_text(now))
    assert require_seal(config)
