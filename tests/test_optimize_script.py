"""optimize.py as its users run it: real processes, some of which are killed."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from browser import CHROMIUM, Browser
from PIL import Image
from scripts import SETTINGS, process_of, run_script, run_well, start, studied, wait_for

from search import settings_of

SMALL = ["--config", "small.yaml", "--search.validations", "2", "--search.heartbeat_seconds", "1"]
STUDY = "small-sortino"
pytestmark = pytest.mark.timeout(600)  # several processes that import everything, on a machine that may be busy


@pytest.fixture
def place(tmp_path):
    (tmp_path / "small.yaml").write_text(SETTINGS)
    return tmp_path


def storage_of(place):
    return f"sqlite:///{place}/studies/coindojo.db"


def ended(process, seconds=300):
    out, error = process.communicate(timeout=seconds)
    assert "Traceback" not in out + error
    return process.returncode, out, error


def search(place, *arguments, steps=2048):
    return start(place, "optimize", *SMALL, "--search.steps", str(steps), *arguments)


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def two_at_work(place):
    now = studied(storage_of(place), STUDY)
    return len(now.running) == 2 and now.finished >= 1


@pytest.mark.slow
def test_a_killed_worker_costs_its_search_nothing_but_time(place):
    """Two real processes share a study; one gets SIGKILL in the middle of a trial. The other tries that trial again."""
    process = search(place, "--trials", "6", "--workers", "2")
    wait_for(lambda: two_at_work(place))
    dead, trial = next(iter(studied(storage_of(place), STUDY).running.items()))
    os.kill(dead, signal.SIGKILL)
    code, out, error = ended(process)
    assert code == 0, out + error
    assert "was killed by SIGKILL; the others try its trial again" in out
    assert f"trial {trial.number} again" in out
    after = studied(storage_of(place), STUDY)
    assert after.finished == 6
    assert [each.number for each in after.trials if each.state.name == "FAIL"] == [trial.number]
    retried = [each for each in after.trials if each.user_attrs.get("retry_of") == trial.number]
    assert [each.params for each in retried] == [after.trials[trial.number].params]
    (again,) = retried
    assert process_of(again) != dead
    assert again.state.is_finished()


@pytest.mark.slow
def test_ctrl_c_ends_all_workers_and_the_same_command_goes_on(place):
    process = search(place, "--trials", "500", "--workers", "2", steps=4096)
    wait_for(lambda: two_at_work(place))
    workers = studied(storage_of(place), STUDY).running
    process.send_signal(signal.SIGINT)
    code, out, _ = ended(process)
    assert code == 130
    assert "the same command goes on from here" in out
    assert not any(alive(worker) for worker in workers)
    now = studied(storage_of(place), STUDY)
    assert now.running == {}
    interrupted = [each for each in now.trials if each.user_attrs.get("failure") == "interrupted"]
    assert len(interrupted) == 2
    waiting = [each.system_attrs["fixed_params"] for each in now.trials if each.state.name == "WAITING"]
    assert all(each.params in waiting for each in interrupted)
    code, out, error = ended(search(place, "--trials", str(now.finished + 1), "--workers", "2", steps=4096))
    assert code == 0, out + error
    assert f"{now.finished} of {now.finished + 1} trials finished" in out


@pytest.mark.slow
def test_workers_end_by_themselves_when_the_one_that_began_them_is_killed(place):
    """After the trials that they are in: nothing runs on unseen, and nothing is lost."""
    process = search(place, "--trials", "500", "--workers", "2")
    wait_for(lambda: two_at_work(place))
    workers = studied(storage_of(place), STUDY).running
    process.kill()
    process.communicate()
    wait_for(lambda: not any(alive(worker) for worker in workers))
    now = studied(storage_of(place), STUDY)
    assert now.running == {}
    assert not any(each.state.name == "FAIL" for each in now.trials)


@pytest.mark.slow
def test_a_report_is_drawn_and_the_dashboard_opens_the_same_study(place):
    run_well(place, "optimize", *SMALL, "--search.steps", "512", "--trials", "5")
    out = run_well(place, "optimize", "report", "--config", "small.yaml").stdout
    figures = sorted((place / "studies" / STUDY).iterdir())
    assert [path.stem for path in figures] == ["history", "importances", "parallel_coordinates", "slices", "timeline"]
    for path in figures:
        assert f"wrote studies/{STUDY}/{path.name}" in out
        assert len(Image.open(path).convert("RGB").getcolors(1 << 24) or ()) > 10
    assert "best: trial" in out
    if not CHROMIUM:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with dashboard(storage_of(place)) as address, Browser(place / "profile") as browser:
        browser.open(address)
        assert STUDY in wait_for(lambda: browser.run("document.body.innerText.includes('small') && document.body.innerText"))
        study = optuna.load_study(study_name=STUDY, storage=storage_of(place))
        browser.open(f"{address}/studies/{study._study_id}", height=1600)
        drawn = "document.querySelectorAll('.js-plotly-plot .main-svg').length > 2"
        text = "document.body.textContent"
        page = wait_for(lambda: browser.run(f"{drawn} && {text}.includes('log growth on validation') && {text}"))
        browser.screenshot(place / "dashboard.png")
    assert "Hyperparameter Importance" in page
    assert "Best Trial (number=" in page


@contextmanager
def dashboard(storage):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("optuna-dashboard")), storage, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/dashboard"
    try:
        wait_for(lambda: answers(address))
        yield address
    finally:
        server.kill()
        server.wait()


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        time.sleep(0.2)
        return False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0"], "--workers: it must be 1 or more, but got 0"),
        (["--dask", "tcp://127.0.0.1:1"], "needs a database that all machines reach"),
        (["--storage", "mysql://me@host/none"], "`storage` must be a SQLite file"),
        (["--storage", "postgresql+psycopg://me:secret@127.0.0.1:1/none"], "must be a database that can be reached"),
        (["report"], f"there is no {STUDY} yet"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_study_behind(place, arguments, message):
    run = run_script(place, "optimize", *arguments, "--config", "small.yaml")
    assert (run.returncode, run.stdout) == (2, "")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert "secret" not in run.stderr
    assert not (place / "studies").exists()


QUICK = ["--search.steps", "256", "--search.validations", "1"]


def test_a_study_goes_on_by_its_name_alone_is_listed_and_deleted(place, monkeypatch):
    """With settings that no option repeats; its trials stay in the ledger."""
    begun = run_well(place, "optimize", "--config", "small.yaml", *QUICK, "--name", "2024", "--env.fee_bps", "7", "--trials", "1")
    assert "study 2024-sortino in" in begun.stdout
    more = run_well(place, "optimize", "--study", "2024-sortino", "--trials", "2")
    assert "1 of 2 trials finished" in more.stdout
    assert {settings_of(trial).env.fee_bps for trial in studied(storage_of(place), "2024-sortino").trials if trial.params} == {7}
    for arguments, message in (
        (["--env.fee_bps", "8"], "env.fee_bps: 7 -> 8"),
        (["--name", "other"], "goes on with its own settings, but got name: 2024 -> other"),
        (["--config", "small.yaml"], "`--study` goes on with its own settings, but got --config small.yaml, too"),
    ):
        refused = run_script(place, "optimize", "--study", "2024-sortino", *arguments)
        assert refused.returncode == 2
        assert message in refused.stderr
    assert "best: trial" in run_well(place, "optimize", "report", "--study", "2024-sortino").stdout
    table = run_well(place, "optimize", "list").stdout
    assert max(map(len, table.splitlines())) <= 80
    assert table.splitlines()[2].split()[:2] == ["2024-sortino", "2"]
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    refused = run_script(place, "optimize", "delete", "2024-sortino")
    assert refused.returncode == 2
    assert "cannot be undone, and nobody can be asked here; give --yes" in refused.stderr
    deleted = run_well(place, "optimize", "delete", "2024-sortino", "--yes").stdout
    assert "deleted study 2024-sortino from sqlite:///studies/coindojo.db: 2 finished trials" in deleted
    assert "there are no studies" in run_well(place, "optimize", "list").stdout
    assert len((place / "studies" / "trial_ledger.jsonl").read_text().splitlines()) == 2


def test_a_study_is_deleted_when_the_answer_is_yes(place, monkeypatch):
    run_well(place, "optimize", "--config", "small.yaml", *QUICK, "--trials", "1")
    asked: list[str] = []
    answers = ["", "y"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)

    def answer(_, question):
        asked.append(question)
        return answers[len(asked) - 1]

    monkeypatch.setattr("rich.console.Console.input", answer)
    kept = run_script(place, "optimize", "delete", STUDY)
    assert (kept.returncode, kept.stdout) == (1, "nothing was deleted\n")
    assert "deleted study" in run_well(place, "optimize", "delete", STUDY).stdout
    assert asked == [f"delete study {STUDY} with 1 finished trials? (y/N) "] * 2


@pytest.mark.parametrize("arguments", [["--timeout", "15s"], ["--timeout", "1m", "--workers", "2"]])
@pytest.mark.slow
def test_a_search_ends_cleanly_when_its_time_is_over(place, arguments):
    """And the same command, or its name alone, goes on."""
    run = ended(search(place, "--trials", "500", *arguments))
    assert run[0] == 0, run
    now = studied(storage_of(place), STUDY)
    assert f"the time is over: {now.finished} of 500 trials finished; the same command goes on from here" in run[1]
    assert 0 < now.finished < 500
    assert not now.running
    assert not [each for each in now.trials if each.state.name == "FAIL"]
    assert f"{now.finished} of {now.finished + 1} trials" in run_well(
        place, "optimize", "--study", STUDY, "--trials", str(now.finished + 1)
    ).stdout  # fmt: skip


@pytest.mark.parametrize("time_given", ["0", "-1", "2x", "h", "inf"])
def test_a_timeout_is_a_time(place, time_given):
    run = run_script(place, "optimize", f"--timeout={time_given}")
    assert (run.returncode, run.stdout) == (2, "")
    assert f"it must be a time above 0, in seconds or such as 30m or 2h, but got {time_given}" in run.stderr


def test_a_search_in_which_every_trial_loses_says_what_cash_would_have_made(place):
    """At the end of the search, and in the report."""
    losing = ["--env.fee_bps", "2000", "--env.action_scheme", "targets", "--env.targets", "0.2,0.9", "--search.pruner", "none"]
    words = "it lost: its log growth on validation is -"
    out = run_well(place, "optimize", "--config", "small.yaml", *QUICK, *losing, "--trials", "2").stdout
    assert words in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("and cash would have made 0")
    assert words in run_well(place, "optimize", "report", "--study", STUDY).stdout.splitlines()[-1]
