import json
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common import InputError
from market import OpeningLedger, split

ROOT = Path(__file__).parents[2]

# A process of its own with the ledger alone: the rooms load what is used, so it starts in a moment, without pandas and torch.
CHILD = """
import os, signal, sys
from pathlib import Path
from market import OpeningLedger
ledger = OpeningLedger(Path(sys.argv[1]))
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
ledger.record("data", "config", "halfway")
"""


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
    ledger = OpeningLedger(tmp_path / "studies" / "test_ledger.jsonl")
    assert ledger.openings(candles.sha256) == 0
    for count in (1, 2, 3):
        split(candles).open_test(ledger, "config", "a test")
        assert ledger.openings(candles.sha256) == count
    assert ledger.record("other data", "config", "a test") == 1
    assert [set(entry) for entry in entries(ledger.path)] == [{"time", "data_sha256", "config_sha256", "caller"}] * 4
    assert entries(ledger.path)[0]["time"].endswith("+00:00")


def test_a_ledger_that_cannot_be_written_keeps_the_range_shut(tmp_path, candles):
    (tmp_path / "blocked").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="blocked"):
        split(candles).open_test(OpeningLedger(tmp_path / "blocked" / "ledger.jsonl"), "config", "a test")


def test_processes_that_open_at_once_lose_and_mix_no_line(tmp_path):
    """Each caller's name is longer than a buffer and than a page, so that a line written in pieces would show."""
    path = tmp_path / "ledger.jsonl"
    body = """
    print([ledger.record("data", "config", f"{number}:{os.getpid()}:" + "x" * 20_000) for number in range(25)])
    """
    processes = [start(path, body) for _ in range(4)]
    go(*processes)
    counts = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert sorted(count for own in counts for count in own) == list(range(1, 101))  # no two openings had the same count
    assert all(own == sorted(own) for own in counts)
    assert OpeningLedger(path).openings("data") == 100
    callers = [entry["caller"].removesuffix("x" * 20_000) for entry in entries(path)]
    assert sorted(callers) == sorted(f"{number}:{process.pid}:" for number in range(25) for process in processes)


def test_a_process_killed_at_any_moment_damages_the_last_line_at_most(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger, kept = OpeningLedger(path), 0
    process = start(path, 'while True: print(ledger.record("data", "config", "x" * 50_000), flush=True)')
    go(process)
    while kept < 20:
        kept = int(line_of(process))
    process.kill()
    kept = max([kept, *map(int, process.communicate()[0].split())])
    *whole, last = path.read_bytes().splitlines(keepends=True)
    assert all(json.loads(line)["data_sha256"] == "data" for line in whole)
    if last.endswith(b"\n"):
        assert ledger.record("data", "config", "after") == len(whole) + 2 > kept  # no opening that was granted is lost
    else:
        assert len(whole) >= kept
        with pytest.raises(InputError, match=f"line {len(whole) + 1} is"):
            ledger.openings("data")


def test_a_line_cut_short_by_a_kill_is_named_and_never_written_onto(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = OpeningLedger(path)
    assert [ledger.record("data", "config", "before") for _ in range(2)] == [1, 2]
    dying = start(path, STOP_HALFWAY)
    waiting = start(path, 'ledger.record("data", "config", "waiting")')
    go(dying)
    assert line_of(dying) == "half\n"
    go(waiting)  # while the other has written half a line and lives
    dying.communicate("die\n", timeout=60)
    assert dying.returncode == -signal.SIGKILL
    assert "line 3 is" in waiting.communicate(timeout=60)[1]

    torn = path.read_bytes()
    assert torn.count(b"\n") == 2
    for open_again in (lambda: ledger.openings("data"), lambda: ledger.record("data", "config", "after")):
        with pytest.raises(InputError, match=r"line 3 is '\{\"time.*its writer died before it saw a bar: delete that line"):
            open_again()
    assert path.read_bytes() == torn  # nothing was glued on, and nothing was dropped

    path.write_bytes(torn[: torn.rindex(b"\n") + 1])
    assert ledger.openings("data") == 2
    assert ledger.record("data", "config", "after") == 3


def test_who_counts_while_a_line_is_being_written_waits_for_it(tmp_path):
    path = tmp_path / "ledger.jsonl"
    writing = start(path, STOP_HALFWAY)
    go(writing)
    assert line_of(writing) == "half\n"
    with ThreadPoolExecutor() as pool:
        count = pool.submit(OpeningLedger(path).openings, "data")
        with pytest.raises(TimeoutError):
            count.result(timeout=0.2)
        writing.communicate("live\n", timeout=60)
        assert count.result(timeout=60) == 1


def test_an_entry_without_its_line_end_counts_and_the_next_one_starts_a_new_line(tmp_path):
    ledger = OpeningLedger(tmp_path / "ledger.jsonl")
    ledger.record("data", "config", "before")
    ledger.path.write_bytes(ledger.path.read_bytes().removesuffix(b"\n"))
    assert ledger.openings("data") == 1
    assert ledger.record("data", "config", "after") == 2
    assert [entry["caller"] for entry in entries(ledger.path)] == ["before", "after"]


def test_a_disk_that_takes_half_a_line_keeps_the_range_shut_and_the_ledger_whole(tmp_path):
    resource = pytest.importorskip("resource", reason="file size limits stand in for a full disk, and are not known here")
    ledger = OpeningLedger(tmp_path / "ledger.jsonl")
    ledger.record("data", "config", "before")
    whole = ledger.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 40, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            ledger.record("data", "config", "too much")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert ledger.path.read_bytes() == whole
    assert ledger.record("data", "config", "after") == 2


@pytest.mark.parametrize(
    "line", [b"nonsense", b"", b"[]", b'{"caller": "x"}', b"\xff\xfe", b'{"data_sha256": "x"}{"data_sha256": "x"}']
)
def test_a_damaged_ledger_is_named_with_its_line_and_opens_nothing(tmp_path, line):
    path = tmp_path / "ledger.jsonl"
    content = b'{"data_sha256": "x"}\n' + line + b'\n{"data_sha256": "x"}'
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"line 2 is .*restore it"):
        OpeningLedger(path).openings("x")
    with pytest.raises(InputError, match=r"line 2 is .*restore it"):
        OpeningLedger(path).record("x", "config", "a test")
    assert path.read_bytes() == content
