"""`python -m market`, as a user runs it (in this process: the commands are quick, starting Python is not)."""

import gzip

import pytest
from helpers import filled_of

from market import read_candles, simulate
from market.__main__ import main

HEADER = "Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo"
ROWS = [f"2019-07-0{day} 00:00,BTCUSD,100,101,99,100,1,100" for day in (1, 2, 3, 5, 6)]


@pytest.fixture
def gap(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "gap.csv"
    path.write_text("\n".join([HEADER, *ROWS, ROWS[0]]))
    return path


def test_check_reports_every_problem_with_count_place_and_remedy(gap, capsys):
    assert main(["check", "gap.csv"]) == 1
    out = capsys.readouterr().out
    assert "6 rows of 1d bars, BTCUSD, 2019-07-01 00:00 to 2019-07-06 00:00" in out
    assert "error: each bar must open 1d after the one before; 1 do not" in out
    assert "line 4 (2019-07-03 00:00) is followed by 1 missing bars, until 2019-07-05 00:00" in out
    assert "error: each time must occur once; 1 do not" in out
    assert "warning: rows should be in one order" in out
    assert "read_candles refuses this file" in out


def test_repair_says_what_it_did_bar_by_bar_on_request(gap, capsys):
    assert main(["repair", "gap.csv", "out.parquet", "--verbose"]) == 0
    out = capsys.readouterr().out
    assert "repeated rows dropped: 1\n  2019-07-01 00:00" in out
    assert "missing bars filled flat: 1\n  2019-07-04 00:00" in out
    assert filled_of(read_candles("out.parquet")) == [False, False, False, True, False, False]
    assert main(["check", "out.parquet"]) == 0
    assert main(["repair", "gap.csv", "out.parquet", "--max-fill", "0"]) == 2
    assert "--max-fill" in capsys.readouterr().err


def test_resample_and_simulate_write_what_reads_back(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "bitcoin", "hours.parquet", "--bars", "100", "--seed", "4", "--param", "edge=0.5"]) == 0
    assert read_candles("hours.parquet").sha256 == simulate("bitcoin", 100, 4, edge=0.5).sha256
    assert "simulated bitcoin, seed 4" in read_candles("hours.parquet").source
    assert main(["resample", "hours.parquet", "1d", "days.csv"]) == 0
    assert len(read_candles("days.csv")) == 4
    assert "4 bars of 1d in days.csv" in capsys.readouterr().out
    packed = tmp_path / "days.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "days.csv").read_bytes()))
    assert read_candles(packed).sha256 == read_candles("days.csv").sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "none.csv"], "there is no candle file none.csv"),
        (["repair", "gap.csv", "out.txt"], "written as .parquet or .csv"),
        (["resample", "gap.csv", "1w", "out.csv"], "each time must occur once"),
        (["simulate", "bitcion", "out.csv"], "did you mean 'bitcoin'"),
        (["simulate", "bitcoin", "out.csv", "--param", "edge"], "name=number"),
        (["simulate", "bitcoin", "out.csv", "--param", "egde=1"], "did you mean 'edge'"),
        (["download", "coinbaseexchange", "BTC/USD", "1h", "out.parquet", "--since", "once"], "a date such as 2017-01-01"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(gap, arguments, message, capsys):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [path.name for path in gap.parent.iterdir()] == ["gap.csv"]


def test_an_unknown_command_is_one_line(capsys):
    with pytest.raises(SystemExit) as end:
        main(["chekc"])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
