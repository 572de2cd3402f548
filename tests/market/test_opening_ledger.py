import json
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common import InputError
from market import LedgerRange, OpeningLedger, split

ROOT = Path(__file__).parents[2]

# A process of its own with the ledger alone: the rooms load what is used, so it starts in a moment, without pandas and torch.
CHILD = """
import os, signal, sys
from pathlib import Path
from market import LedgerRange, OpeningLedger
ledger = OpeningLedger(Path(sys.argv[1]))
RANGE = LedgerRange("BTCUSD", "1h", "2020-01-01T00:00:00+00:00", "2020-02-01T00:00:00+00:00", "data")
print("ready", flush=True)
sys.stdin.readline()
"""
STOP_HALFWAY = """
write = os.write
def half(handle, line):
    os.write = write
    written = write(handle, line[:len(line) // 2])
    print("half", flush=True)
    if sys.stdin.readline() == "die\\n":
        os.kill(os.getpid(), signal.SIGKILL)
    return written
os.write = half
ledger.record(RANGE, "config", "halfway")
"""
RANGE = LedgerRange("BTCUSD", "1h", "2020-01-01T00:00:00+00:00", "2020-02-01T00:00:00+00:00", "data")
OLD = b'{"time": "2024-01-01T00:00:00+00:00", "data_sha256": "data", "config_sha256": "config", "caller": "before"}\n'
"""a line of the version before ledgers were chained"""


@pytest.fixture(autouse=True)
def user_ledger(tmp_path, monkeypatch) -> Path:
    """The user's ledger, of each test its own."""
    monkeypatch.setenv("COINDOJO_LEDGER", str(tmp_path / "user"))
    return tmp_path / "user" / "openings.jsonl"


def start(path: Path, body: str) -> subprocess.Popen[str]:
    """A process that imports the ledger, says so, and does `body` at the next line that it gets."""
    command = [sys.executable, "-c", CHILD + textwrap.dedent(body), str(path)]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that the process prints."""
    assert process.stdout
    return process.stdout.readline()


def go(*processes: subprocess.Popen[str]) -> None:
    """Wait until all are ready, then let them loose together."""
    for process in processes:
        assert process.stderr
        assert line_of(process) == "ready\n", process.stderr.read()
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()


def entries(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_opening_is_counted_and_kept(tmp_path, candles):
    ledger, parts = OpeningLedger(tmp_path / "studies" / "test_ledger.jsonl"), split(candles)
    assert ledger.openings(parts.test_known_as) == 0
    for count in (1, 2, 3):
        parts.open_test(ledger, "config", "a test")
        assert ledger.openings(parts.test_known_as) == count
    assert ledger.record(RANGE, "config", "a test") == 1
    said = {"time", "id", "caller", "config_sha256", "market", "bar", "first", "end", "data_sha256", "line", "previous", "hash"}
    assert [set(entry) for entry in entries(ledger.path)] == [said] * 4
    assert entries(ledger.path)[0]["time"].endswith("+00:00")


def test_a_ledger_that_cannot_be_written_keeps_the_range_shut(tmp_path, candles):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="blocked"):
        split(candles).open_test(OpeningLedger(tmp_path / "blocked" / "ledger.jsonl"), "config", "a test")


def test_processes_that_open_at_once_lose_and_mix_no_line(tmp_path):
    """Each caller's name is longer than a buffer and than a page, so that a line written in pieces would show."""
    path = tmp_path / "ledger.jsonl"
    body = """
    print([ledger.record(RANGE, "config", f"{number}:{os.getpid()}:" + "x" * 9_000) for number in range(25)])
    """
    processes = [start(path, body) for _ in range(4)]
    go(*processes)
    counts = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert sorted(count for own in counts for count in own) == list(range(1, 101))  # no two openings had the same count
    assert all(own == sorted(own) for own in counts)
    assert OpeningLedger(path).openings(RANGE) == 100
    callers = [entry["caller"].removesuffix("x" * 9_000) for entry in entries(path)]
    assert sorted(callers) == sorted(f"{number}:{process.pid}:" for number in range(25) for process in processes)


def test_a_process_killed_at_any_moment_leaves_a_ledger_that_goes_on(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger, kept = OpeningLedger(path), 0
    process = start(path, 'while True: print(ledger.record(RANGE, "config", "x" * 50_000), flush=True)')
    go(process)
    while kept < 20:
        kept = int(line_of(process))
    process.kill()
    kept = max([kept, *map(int, process.communicate()[0].split())])
    counted = ledger.openings(RANGE)
    assert counted is not None
    assert counted >= kept  # no opening that was granted is lost
    assert ledger.record(RANGE, "config", "after") == counted + 1
    assert [entry["line"] for entry in entries(path)] == list(range(1, counted + 2))


def test_a_line_cut_short_by_a_kill_counts_for_nothing_and_is_never_written_onto(tmp_path):
    """Its writer saw no bar."""
    path = tmp_path / "ledger.jsonl"
    ledger = OpeningLedger(path)
    assert [ledger.record(RANGE, "config", "before") for _ in range(2)] == [1, 2]
    dying = start(path, STOP_HALFWAY)
    waiting = start(path, 'print(ledger.record(RANGE, "config", "waiting"))')
    go(dying)
    assert line_of(dying) == "half\n"
    torn = path.read_bytes()
    assert torn.count(b"\n") == 2
    assert not torn.endswith(b"\n")
    go(waiting)  # while the other has written half a line and lives
    dying.communicate("die\n", timeout=60)
    assert dying.returncode == -signal.SIGKILL
    assert waiting.communicate(timeout=60)[0] == "3\n"
    assert [entry["caller"] for entry in entries(path)] == ["before", "before", "waiting"]

    path.write_bytes(torn)
    with pytest.raises(InputError, match=r"line 3 of .* is missing"):  # a line that was whole is not taken for one cut short
        ledger.openings(RANGE)


def test_who_counts_while_a_line_is_being_written_waits_for_it(tmp_path):
    path = tmp_path / "ledger.jsonl"
    writing = start(path, STOP_HALFWAY)
    go(writing)
    assert line_of(writing) == "half\n"
    with ThreadPoolExecutor() as pool:
        count = pool.submit(OpeningLedger(path).openings, RANGE)
        with pytest.raises(TimeoutError):
            count.result(timeout=0.2)
        writing.communicate("live\n", timeout=60)
        assert count.result(timeout=60) == 1


def test_an_entry_without_its_line_end_counts_and_the_next_one_starts_a_new_line(tmp_path):
    ledger = OpeningLedger(tmp_path / "ledger.jsonl")
    ledger.record(RANGE, "config", "before")
    ledger.path.write_bytes(ledger.path.read_bytes().removesuffix(b"\n"))
    assert ledger.openings(RANGE) == 1
    assert ledger.record(RANGE, "config", "after") == 2
    assert [entry["caller"] for entry in entries(ledger.path)] == ["before", "after"]


def test_a_disk_that_takes_half_a_line_keeps_the_range_shut_and_the_ledger_whole(tmp_path):
    resource = pytest.importorskip("resource", reason="file size limits stand in for a full disk, and are not known here")
    ledger = OpeningLedger(tmp_path / "ledger.jsonl")
    ledger.record(RANGE, "config", "before")
    whole = ledger.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 40, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            ledger.record(RANGE, "config", "too much")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert ledger.path.read_bytes() == whole
    assert ledger.record(RANGE, "config", "after") == 2


@pytest.mark.parametrize(
    "line", [b"nonsense", b"", b"[]", b'{"caller": "x"}', b"\xff\xfe", b'{"data_sha256": "x"}{"data_sha256": "x"}']
)
def test_a_damaged_ledger_is_named_with_its_line_and_opens_nothing(tmp_path, line):
    path = tmp_path / "ledger.jsonl"
    content = OLD + line + b"\n" + OLD
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"line 2 is .*restore the file"):
        OpeningLedger(path).openings(RANGE)
    with pytest.raises(InputError, match=r"line 2 is .*restore the file"):
        OpeningLedger(path).record(RANGE, "config", "a test")
    assert path.read_bytes() == content


def test_lines_of_older_versions_count_by_their_data_and_the_chain_holds_them_fast(tmp_path, user_ledger):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(OLD + OLD.replace(b'"data"', b'"other"') + OLD)
    ledger = OpeningLedger(path)
    assert ledger.openings(RANGE) == 2
    assert ledger.record(RANGE, "config", "now") == 3
    assert OpeningLedger(tmp_path / "elsewhere.jsonl").openings(RANGE) == 3  # the user's ledger has them, too
    assert path.read_bytes().startswith(OLD)
    path.write_bytes(path.read_bytes().replace(b'"other"', b'"third"'))
    with pytest.raises(InputError, match="a line before line 4 was edited or replaced"):
        ledger.openings(RANGE)
