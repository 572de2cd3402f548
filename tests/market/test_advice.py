"""Whoever follows the advice of a refusal gets candles, or another line: never the same one again."""

import re
import shutil

import pytest
from helpers import examples, shared_cases, spoiled
from hypothesis import given, settings, strategies as st

from common import InputError, in_a_script, spelled
from market import CandleError, read_candles, simulate
from market.__main__ import main

ENDS = (
    "fetch", "name another file", "give a longer file", "give more rows", "unpack it", "save it", "take the file",
    "give that column this name", "ask the exchange", "cannot be read",
)  # fmt: skip
"""advice after which only another file helps"""
MOST = 60


def followed(path):
    """The candles that the advice leads to, or None where it ends; and all messages on the way."""
    told: dict = {}
    said: list[str] = []
    states: list = []
    for _ in range(MOST):
        try:
            return read_candles(path, **told), said
        except CandleError as error:
            message = str(error)
        state = message, path.read_bytes(), dict(told)
        assert state not in states, f"the same advice again, though it was followed: {message}"
        states.append(state)
        said.append(message)
        if not obeyed(path, message, told):
            assert any(end in message for end in ENDS), message
            return None, said
    raise AssertionError(f"no end: {said[-1]}")


def obeyed(path, message, told):
    """Do what a message says; whether that could be done."""
    advice = message.rpartition("; ")[2]
    if options := re.findall(r"`(\w+)=('[^']*'|\w+)`", advice):
        name, value = options[0]
        told[name] = value.strip("'") if value.startswith("'") else {"True": True}.get(value) or int(value)
        return True
    lines = path.read_text().splitlines()
    if "drop" in advice and (place := re.search(r"line (\d+) ", message)):
        del lines[int(place.group(1)) - 1]
    elif "drop the column" in advice or "drop all but one" in advice:
        names = re.findall(r"`(\w+)`|'(\w+)'", message)
        drop(lines, "".join(names[-1]))
    elif "such as time,open" in advice:
        lines.insert(0, "time,open,high,low,close,volume")
    elif "(write " in message:
        lines = [re.sub(r"^(\d+)/(\d+)/(\d+)", r"\3-\1-\2", line) for line in lines]
    else:
        return False
    path.write_text("\n".join(lines))
    return True


def drop(lines, name):
    """Take a column out of a file, in place."""
    place = re.split(r"[,;]", lines[0]).index(name)
    lines[:] = [",".join(cell for k, cell in enumerate(re.split("[,;]", line)) if k != place) for line in lines]


CASES = sorted(shared_cases("candles").glob("*"))


@pytest.mark.skipif(not CASES, reason="../shared/cases/candles is not there")
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_advice_on_each_shared_case_ends_with_candles(case, tmp_path):
    path = shutil.copy(case, tmp_path / case.name)
    candles, said = followed(path)
    assert candles is not None, said
    assert len(said) <= 3


HEADER = "Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo"
LINES = [
    f"{time:%Y-%m-%d %H:%M},BTCUSD," + ",".join(f"{value:.2f}" for value in row)
    for time, *row in simulate("bitcoin", bars=30, seed=3).frame.itertuples()
]


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_advice_on_spoiled_files_ends(tmp_path_factory, data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        k = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["again", "gone", "cell", "swap", "no volume", "running", "moved"]))
        cells = lines[k].split(",")
        if kind == "again":
            lines.insert(k, lines[k])
        elif kind == "gone" and len(lines) > 10:
            del lines[k]
        elif kind == "cell":
            cells[data.draw(st.integers(0, 7))] = data.draw(st.sampled_from(["", "ten", "-1", "0", "7/1/2017", "1.5E+12", "1,5"]))
        elif kind == "swap":
            cells[6], cells[7] = cells[7], cells[6]
        elif kind == "no volume":
            cells[6] = cells[7] = "0"
        elif kind == "running":  # the last bars were written down before they had a volume
            lines[-3:] = [",".join([*line.split(",")[:6], "0", "0"]) for line in lines[-3:]]
        elif kind == "moved":
            cells[0] = cells[0][:-2] + "30"
        if kind in ("cell", "swap", "no volume", "moved"):
            lines[k] = ",".join(f'"{cell}"' if "," in cell else cell for cell in cells)
    path = tmp_path_factory.mktemp("advice") / "spoiled.csv"
    path.write_text("\n".join([HEADER, *lines]))
    followed(path)


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_advice_on_files_with_spoiled_bytes_ends(tmp_path_factory, data):
    """As `test_mutations` spoils them: a character put in, taken out or changed, anywhere behind the names."""
    text = data.draw(spoiled("\n".join([HEADER, *LINES]) + "\n", len(HEADER) + 1))
    path = tmp_path_factory.mktemp("advice") / "spoiled.csv"
    path.write_bytes(text.encode())
    followed(path)


GAP = [line for k, line in enumerate(LINES) if k not in (5, 6)]


def found(pattern, text):
    match = re.search(pattern, text)
    assert match is not None, text
    return match.group(1)


def test_the_commands_name_options_of_their_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gap.csv").write_text("\n".join([HEADER, *GAP]))
    assert main(["check", "gap.csv"]) == 1
    advice = found(r"`python -m market (.*)`", capsys.readouterr().out)
    assert main(advice.replace("FILE", "gap.csv").replace("OUT", "out").split()) == 0
    assert main(["repair", "gap.csv", "out.parquet", "--max-fill", "1"]) == 2
    option = found(r"`(--max-fill \d+)`", capsys.readouterr().err)
    assert main(["repair", "gap.csv", "out.parquet", *option.split()]) == 0
    two = "\n".join([HEADER, *LINES, *(line.replace("BTCUSD", "ETHUSD") for line in LINES)])
    (tmp_path / "two.csv").write_text(two)
    assert main(["check", "two.csv"]) == 2
    option = found(r"`(--symbol \w+)`", capsys.readouterr().err)
    assert main(["check", "two.csv", *option.split()]) == 0
    assert main(["split", "two.csv", "coins"]) == 0
    assert sorted(path.name for path in (tmp_path / "coins").iterdir()) == ["BTCUSD.parquet", "ETHUSD.parquet"]


def test_a_script_names_its_own_options(tmp_path):
    path = tmp_path / "gap.csv"
    path.write_text("\n".join([HEADER, *GAP]))
    with spelled(in_a_script), pytest.raises(InputError, match=r"`--market.repair true`"):
        read_candles(path)
