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
