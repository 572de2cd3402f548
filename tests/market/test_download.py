"""The download, through the real ccxt, against a local server that speaks Coinbase Exchange's candle endpoint."""

import json
import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import candle_server as faults
import pandas as pd
import pyarrow.parquet as pq
import pytest
from candle_server import HOUR, PAGE, CandleServer, hourly_bars

from common import InputError
from market.download import Downloaded, download, progress_bar
from market.parquet import read_parquet_meta, write_parquet

SINCE = pd.Timestamp("2017-01-01", tz="UTC")
BARS = 1000
NOW = SINCE + pd.Timedelta(hours=BARS, minutes=30)  # half an hour into the last bar that the server has
OLDER, NEWEST = PAGE - 2, PAGE - 1  # rows, from the oldest, of the first page: the two that the second page repeats

ccxt_is_here = pytest.mark.skipif(find_spec("ccxt") is None, reason="the download needs ccxt: pip install -e '.[download]'")


@pytest.fixture
def server():
    server = CandleServer(hourly_bars(SINCE, BARS + 1))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join(10)


class Fetch:
    """Downloads from the server; pauses go into `pauses` instead of taking time, notes into `notes`."""

    def __init__(self, server: CandleServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.pauses: list[float] = []
        self.notes: list[str] = []

    def __call__(
        self, name="out.parquet", exchange="coinbaseexchange", symbol="BTC/USD", timeframe="1h", since=SINCE, **options
    ) -> Downloaded:
        calm: dict[str, Any] = {"exchange_options": self.server.options, "now": lambda: NOW, "sleep": self.pauses.append}
        return download(exchange, symbol, timeframe, since, self.folder / name, on_note=self.notes.append, **(calm | options))


@pytest.fixture
def fetch(server, tmp_path):
    return Fetch(server, tmp_path)


@pytest.fixture
def undisturbed(fetch, server) -> bytes:
    """The bytes of a download without any fault."""
    content = fetch("undisturbed.parquet").path.read_bytes()
    server.asked.clear()
    return content


def expected_frame(server: CandleServer, count: int = BARS) -> pd.DataFrame:
    rows = pd.DataFrame(sorted(server.bars.values())[:count], columns=["time", "low", "high", "open", "close", "volume"])
    rows.index = pd.DatetimeIndex(pd.to_datetime(rows.pop("time"), unit="s", utc=True).dt.as_unit("ns"), name="time")
    rows["quote_volume"] = rows["volume"] * rows["close"]
    return rows[["open", "high", "low", "close", "volume", "quote_volume"]]


def content(path: Path) -> pd.DataFrame:
    return pq.read_table(path).to_pandas().set_index("time")


@ccxt_is_here
def test_pages_are_joined(fetch, server):
    done = fetch()
    pd.testing.assert_frame_equal(content(done.path), expected_frame(server))
    assert len(server.asked) == 4
    assert (done.bars, done.added, done.missing, done.revised) == (BARS, BARS, 0, 0)
    assert (done.first, done.last) == (SINCE, SINCE + pd.Timedelta(hours=BARS - 1))
    assert fetch.pauses == fetch.notes == []
    assert sorted(path.name for path in done.path.parent.iterdir()) == ["out.parquet"]


@ccxt_is_here
def test_the_file_says_what_it_holds(fetch):
    meta = read_parquet_meta(fetch().path)
    assert (meta.symbol, meta.bar) == ("BTC/USD", pd.Timedelta("1h"))
    assert meta.source
    assert "coinbaseexchange" in meta.source
    assert "quote_volume is volume * close" in meta.source


@ccxt_is_here
def test_the_unfinished_last_bar_is_left_out(fetch, server):
    last = max(server.bars)
    assert fetch().last.timestamp() == last - HOUR
    closed = pd.Timestamp(last + HOUR, unit="s", tz="UTC")
    assert fetch("at-its-close.parquet", now=lambda: closed).last.timestamp() == last
    assert fetch("before.parquet", now=lambda: closed - pd.Timedelta("1ms")).last.timestamp() == last - HOUR


@ccxt_is_here
def test_until_bounds_the_bars(fetch, server):
    done = fetch(until=SINCE + pd.Timedelta(hours=310))
    pd.testing.assert_frame_equal(content(done.path), expected_frame(server, 310))


@ccxt_is_here
@pytest.mark.parametrize(
    ("fault", "pause"),
    [
        (faults.status(429), 1),
        (faults.status(429, Retry_After="7"), 7),
        (faults.status(429, Retry_After="Sat, 11 Feb 2017 16:30:20 GMT"), 20),  # as a date: 20 s after NOW
        (faults.status(500), 1),
        (faults.status(503, Retry_After="3"), 3),
        (faults.dropped, 1),
        (faults.torn, 1),
        (faults.web_page, 1),
        (faults.empty, 1),
        (faults.only_newest, 1),
    ],
    ids=["429", "429 with seconds", "429 with a date", "500", "503", "dropped", "torn", "web page", "empty", "half a page"],
)
@pytest.mark.parametrize("request_number", [1, 3])
def test_a_passing_fault_costs_a_pause_and_no_bar(fetch, server, undisturbed, fault, pause, request_number):
    server.faults[request_number] = fault
    assert fetch().path.read_bytes() == undisturbed
    assert fetch.pauses == [pause]
    assert len(server.asked) == 5
    assert server.asked[request_number] == server.asked[request_number + 1]
    assert len(fetch.notes) == 1


@ccxt_is_here
@pytest.mark.parametrize("fault", [faults.status(500), faults.dropped, faults.web_page])
def test_a_passing_fault_of_the_market_list_costs_a_pause(fetch, server, undisturbed, fault):
    server.faults["products"] = fault
    assert fetch().path.read_bytes() == undisturbed
    assert fetch.pauses == [1]


@ccxt_is_here
def test_a_time_without_a_zone_is_utc(fetch, undisturbed):
    assert fetch(since=SINCE.tz_localize(None)).path.read_bytes() == undisturbed


@ccxt_is_here
def test_overlapping_pages_with_equal_bars_are_joined_once(fetch, server, undisturbed):
    server.faults = dict.fromkeys(range(20), faults.overlapping)
    assert fetch().path.read_bytes() == undisturbed


@ccxt_is_here
def test_a_revised_newest_bar_is_taken_and_told(fetch, server):
    server.faults[0] = faults.changed(NEWEST, close=950.0)
    done = fetch()
    pd.testing.assert_frame_equal(content(done.path), expected_frame(server))  # the later answer
    assert done.revised == 1
    assert [note for note in fetch.notes if "revised its bar of 2017-01-13 11:00" in note and "950.0" in note] == fetch.notes


@ccxt_is_here
def test_an_older_bar_that_differs_between_two_pages_is_refused_by_name(fetch, server, tmp_path):
    server.faults[0] = faults.changed(OLDER, close=950.0)
    with pytest.raises(InputError, match=r"2017-01-13 10:00.*950\.0") as error:
        fetch()
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.parquet").exists()


@ccxt_is_here
@pytest.mark.parametrize("gap", [1, 250, 700])
def test_a_gap_of_the_exchange_stays_a_gap_and_is_counted(fetch, server, gap):
    for bar in range(200, 200 + gap):  # 700 hours: two whole pages without a bar
        del server.bars[int(SINCE.timestamp()) + bar * HOUR]
    done = fetch()
    assert done.missing == gap
    assert f"{gap} bars" in str(done)
    pd.testing.assert_frame_equal(content(done.path), expected_frame(server, BARS - gap))


@ccxt_is_here
def test_a_later_start_than_asked_is_told(fetch, server):
    done = fetch(since=SINCE - pd.Timedelta(days=40))
    assert (done.bars, done.first, done.missing) == (BARS, SINCE, 0)
    assert "first one that coinbaseexchange gives opens at 2017-01-01" in fetch.notes[-1]


@ccxt_is_here
def test_an_exchange_that_stays_away_gets_one_line_and_the_bars_stay(fetch, server, undisturbed, tmp_path):
    server.faults = dict.fromkeys(range(2, 20), faults.status(500))
    with pytest.raises(InputError, match=r"coinbaseexchange gave no bars in 9 tries.*500") as error:
        fetch()
    assert "\n" not in str(error.value)
    assert fetch.pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert not (tmp_path / "out.parquet").exists()
    server.faults = {}
    asked = len(server.asked)
    assert fetch().path.read_bytes() == undisturbed
    assert len(server.asked) == asked + 2  # the two pages that had come are not asked for again
    assert not (tmp_path / "out.parquet.partial").exists()


@ccxt_is_here
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (faults.status(404), "refuses: .*no"),
        (faults.status(403), "refuses: .*403"),
        (faults.status(451), "refuses: .*451"),
        (faults.status(429, Retry_After="86400"), "left alone for 86400 s"),
    ],
)
def test_a_fault_that_does_not_pass_ends_at_once(fetch, server, fault, message):
    server.faults[1] = fault
    with pytest.raises(InputError, match=message) as error:
        fetch()
    assert "\n" not in str(error.value)
    assert fetch.pauses == []


@ccxt_is_here
def test_bars_that_an_exchange_no_longer_has_are_no_gap(fetch, server, tmp_path):
    server.faults = dict.fromkeys(range(1, 20), faults.empty)
    with pytest.raises(InputError, match="now has no bars from 2017-01-13 10:00"):
        fetch()
    assert not (tmp_path / "out.parquet").exists()


CHILD = """
import json, sys
from pathlib import Path
import pandas as pd
from market.download import download
since, now = (pd.Timestamp(text) for text in sys.argv[2:4])
download("coinbaseexchange", "BTC/USD", "1h", since, Path(sys.argv[1]), exchange_options=json.loads(sys.argv[4]), now=lambda: now)
"""


@ccxt_is_here
def test_a_killed_download_goes_on_and_ends_with_the_same_bytes(fetch, server, undisturbed, tmp_path):
    server.faults[2] = faults.stall
    path = tmp_path / "out.parquet"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(SINCE), str(NOW), json.dumps(server.options)],
        cwd=Path(__file__).parents[2],
    )
    try:
        assert server.stalled.wait(60)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait(60)
    assert child.returncode == -signal.SIGKILL
    assert [file.name for file in tmp_path.glob("out*")] == ["out.parquet.partial"]
    assert fetch().path.read_bytes() == undisturbed
    assert len(server.asked) == 3 + 2  # two pages and the stalled one, then the last two
    assert not list(tmp_path.glob("*.partial"))


@ccxt_is_here
@pytest.mark.parametrize("lost", [1, 2, 7, 60, 3_000, 10**6])
def test_a_page_torn_while_it_was_kept_is_asked_for_again(fetch, server, undisturbed, tmp_path, lost):
    """A kill may cut the journal at any byte after its header, which is written whole."""
    partial = unfinished(fetch, server, tmp_path)
    header, _, lines = partial.read_bytes().partition(b"\n")
    partial.write_bytes(header + b"\n" + lines[: max(0, len(lines) - lost)])
    assert fetch().path.read_bytes() == undisturbed


def unfinished(fetch, server, folder) -> Path:
    """A download that gave up after two pages."""
    server.asked.clear()
    server.faults = dict.fromkeys(range(2, 4), faults.status(500))
    with pytest.raises(InputError, match="in 2 tries"):
        fetch(max_retries=1)
    server.faults = {}
    return folder / "out.parquet.partial"


@ccxt_is_here
def test_a_file_is_extended_from_its_last_bar(fetch, server, undisturbed):
    first = fetch(until=SINCE + pd.Timedelta(hours=500))
    server.asked.clear()
    done = fetch()
    assert (first.bars, done.bars, done.added) == (500, BARS, 500)
    assert server.asked[0][0] == int(SINCE.timestamp()) + 498 * HOUR
    assert done.path.read_bytes() == undisturbed
    server.asked.clear()
    assert fetch().added == 0
    assert server.asked == []  # nothing can be new
    assert done.path.read_bytes() == undisturbed


@ccxt_is_here
def test_the_file_is_never_half_written(fetch, server, tmp_path, undisturbed):
    """While a download goes on, and when it fails, the old file stands as it was; with none, there is none."""
    seen = []
    path = tmp_path / "out.parquet"
    fetch(until=SINCE + pd.Timedelta(hours=310), on_progress=lambda bars, newest: seen.append(path.exists()))
    assert seen == [False, False]
    before = path.read_bytes()
    unfinished(fetch, server, tmp_path)
    assert path.read_bytes() == before
    fetch(on_progress=lambda bars, newest: seen.append(path.read_bytes() == before))
    assert seen == [False, False, True]
    assert path.read_bytes() == undisturbed


@ccxt_is_here
def test_a_kill_between_the_file_and_the_end_of_its_journal_does_no_harm(fetch, server, undisturbed, tmp_path):
    fetch(until=SINCE + pd.Timedelta(hours=310))
    partial = unfinished(fetch, server, tmp_path)
    left_over = partial.read_bytes()
    fetch()
    partial.write_bytes(left_over)
    assert fetch().path.read_bytes() == undisturbed
    assert not partial.exists()


@ccxt_is_here
def test_a_journal_without_the_file_that_it_extends_is_refused(fetch, server, tmp_path):
    done = fetch(until=SINCE + pd.Timedelta(hours=310))
    unfinished(fetch, server, tmp_path)
    done.path.unlink()
    with pytest.raises(InputError, match="extends a file that is gone"):
        fetch()


OTHERS = [
    ({"exchange": "coinbase"}, "coinbase through ccxt"),
    ({"symbol": "BTC/EUR"}, "symbol 'BTC/USD' not 'BTC/EUR'"),
    ({"timeframe": "1d"}, "bar '0 days 01:00:00' not '1 days 00:00:00'"),
    ({"since": SINCE + pd.Timedelta("1h")}, "since 2017-01-01 01:00"),
]


@ccxt_is_here
@pytest.mark.parametrize(("other", "message"), OTHERS)
def test_an_unfinished_download_of_something_else_is_never_mixed_in(fetch, server, tmp_path, other, message):
    partial = unfinished(fetch, server, tmp_path)
    before = partial.read_bytes()
    with pytest.raises(InputError, match=rf"out\.parquet\.partial is another unfinished download.*{message}") as error:
        fetch(**other)
    assert "\n" not in str(error.value)
    assert partial.read_bytes() == before


@ccxt_is_here
@pytest.mark.parametrize(("other", "message"), OTHERS)
def test_a_file_of_something_else_is_never_extended(fetch, other, message):
    path = fetch().path
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"out\.parquet is another .*{message}") as error:
        fetch(**other)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


@ccxt_is_here
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"exchange": "coinbaseexchang"}, "no exchange 'coinbaseexchang'; did you mean 'coinbaseexchange'"),
        ({"exchange": "zzz"}, "no exchange 'zzz'; the known ones are .* and [0-9]+ more"),
        ({"exchange": "bitbns"}, "bitbns offers no bars"),
        ({"symbol": "BTCUSD"}, "no symbol of coinbaseexchange 'BTCUSD'; did you mean 'BTC/USD'"),
        ({"timeframe": "5h"}, "no timeframe of coinbaseexchange '5h'; did you mean"),
        ({"timeframe": "1M"}, "no timeframe of coinbaseexchange '1M'"),
        ({"since": NOW}, "at least one bar before the end"),
    ],
)
def test_a_wrong_name_gets_one_line_with_the_nearest(fetch, tmp_path, wrong, message):
    with pytest.raises(InputError, match=message) as error:
        fetch(**wrong)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@ccxt_is_here
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", "no unfinished download"),
        ("1483228800000,1,2\n", "damaged"),
        ("1483228800000,1,,1,1,1\n", "damaged"),
        ("[1, 2]\n", "no unfinished download"),
    ],
)
def test_a_damaged_journal_gets_one_line(fetch, server, tmp_path, text, message):
    partial = unfinished(fetch, server, tmp_path)
    partial.write_text(partial.read_text() + text if message == "damaged" else text)
    with pytest.raises(InputError, match=message) as error:
        fetch()
    assert "\n" not in str(error.value)


@ccxt_is_here
@pytest.mark.parametrize("make", [lambda path: path.write_text("time,open\n"), lambda path: path.mkdir()])
def test_another_kind_of_file_is_left_alone(fetch, tmp_path, make):
    make(tmp_path / "out.parquet")
    with pytest.raises(InputError, match=r"out\.parquet") as error:
        fetch()
    assert "\n" not in str(error.value)


def test_without_ccxt_there_is_one_line_that_says_what_to_install(fetch, monkeypatch):
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(InputError, match=r"pip install -e '\.\[download\]'$") as error:
        fetch()
    assert "\n" not in str(error.value)


@ccxt_is_here
def test_the_progress_bar_reaches_its_end(fetch, server, capsys):
    server.faults[1] = faults.status(500)
    with progress_bar(SINCE, NOW) as (on_progress, on_note):
        fetch(on_progress=on_progress)
        on_note("a pause of [1 s]")
    shown = capsys.readouterr()
    assert "100%" in shown.err
    assert f"{BARS} bars" in shown.err
    assert "a pause of [1 s]" in shown.err
    assert shown.out == ""


@ccxt_is_here
def test_progress_tells_bars_and_the_newest_time(fetch):
    told = []
    fetch(on_progress=lambda bars, newest: told.append((bars, newest)))
    assert [bars for bars, newest in told] == [300, 598, 896, 1000]
    assert [newest for bars, newest in told] == [SINCE + pd.Timedelta(hours=bars - 1) for bars, newest in told]


@pytest.mark.parametrize(
    "spoil",
    [lambda f: f.tz_localize(None), lambda f: f.rename_axis("date"), lambda f: f[["close", "open"]], lambda f: f.reset_index()],
)
def test_parquet_takes_only_bars(server, tmp_path, spoil):
    frame = expected_frame(server)
    with pytest.raises(InputError, match="bars need"):
        write_parquet(spoil(frame), tmp_path / "x.parquet", "BTC/USD", "a test", pd.Timedelta("1h"))
    assert not list(tmp_path.iterdir())


def test_parquet_keeps_further_columns_and_every_bit(server, tmp_path):
    frame = expected_frame(server).assign(filled=False)
    write_parquet(frame, tmp_path / "x.parquet", "BTC/USD", "a test", pd.Timedelta("1h"))
    pd.testing.assert_frame_equal(content(tmp_path / "x.parquet"), frame, check_exact=True)
