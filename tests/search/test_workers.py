"""Workers as processes and as Dask tasks; searches whose processes are killed are in tests/test_optimize_script.py."""

import os
import signal
import subprocess
import sys
import time

import pytest
from scripts import ROOT, SETTINGS, process_of, start, studied, wait_for

from common import MissingPackageError
from search import StudyError, share_of_cores
from search.workers import run_on_dask, run_workers

pytestmark = pytest.mark.timeout(600)  # several processes that import everything, on a machine that may be busy
SAYS = "import os, sys, time; print(sys.argv[1:], os.environ['OMP_NUM_THREADS'], os.environ['NUMBA_NUM_THREADS'], flush=True)"


def test_workers_share_the_cores_evenly(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 4, 5, 6, 7}, raising=False)
    assert [share_of_cores(worker, 2) for worker in range(2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [share_of_cores(worker, 3) for worker in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert [share_of_cores(worker, 10) for worker in range(10)] == [[core % 8] for core in range(10)]


def test_each_worker_knows_its_place_and_its_threads():
    lines: list[str] = []
    assert run_workers([sys.executable, "-c", SAYS], 2, lines.append)
    threads = str(len(share_of_cores(0, 2)))
    assert sorted(lines) == [f"['--worker', '{worker}/2'] {threads} {threads}" for worker in range(2)]


def test_a_killed_worker_is_told_and_the_others_go_on():
    lines: list[str] = []
    body = "import os, sys, signal; sys.argv[2] == '0/2' and os.kill(os.getpid(), signal.SIGKILL); print('went on')"
    assert not run_workers([sys.executable, "-c", body], 2, lines.append)
    assert sorted(lines) == ["went on", "worker 0/2 was killed by SIGKILL; the others try its trial again"]


def test_ctrl_c_ends_the_workers_and_drops_what_they_say_of_it():
    lines: list[str] = []

    def hear(line):
        lines.append(line)
        if len(lines) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    body = f"{SAYS}; time.sleep(60)"
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_workers([sys.executable, "-c", body], 2, hear)
    assert time.monotonic() - began < 50
    assert not any("Traceback" in line for line in lines)


def dask(*arguments, cwd):
    with (cwd / "dask.txt").open("a") as said:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}  # this code, whatever is installed
        return subprocess.Popen([sys.executable, "-m", "dask", *arguments], cwd=cwd, env=environment, stdout=said, stderr=said)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, each a process: the address, and the workers. The last test kills one of them."""
    tmp_path = tmp_path_factory.mktemp("dask")
    pytest.importorskip("distributed", reason="the extra `scale` is not installed: pip install -e '.[scale]'")
    file = tmp_path / "scheduler.json"
    processes = [
        dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file), cwd=tmp_path)
    ]
    try:
        wait_for(file.exists)
        from distributed import Client

        for _ in range(2):
            options = ["--scheduler-file", str(file), "--nthreads", "1", "--no-nanny", "--no-dashboard"]  # a nanny begins another
            processes.append(dask("worker", *options, cwd=tmp_path))
        with Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(2, timeout=120)
            address = client.scheduler.address
        yield address, processes[1:]
    finally:
        for process in processes[::-1]:
            process.kill()
            process.wait()


def test_ctrl_c_calls_the_tasks_of_a_cluster_off(cluster):
    address, _ = cluster

    def work(on_progress):
        for step in range(1_200):
            time.sleep(0.1)
            on_progress(step)
        raise RuntimeError("nobody called it off")

    def interrupt():
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_on_dask(address, work, None, interrupt)
    assert time.monotonic() - began < 120


def test_what_a_task_cannot_do_is_said_in_one_line(cluster):
    address, _ = cluster

    def work(on_progress):
        raise ValueError("no such file there")

    with pytest.raises(ValueError, match="no such file there"):
        run_on_dask(address, work, 2, lambda: None, every=0.1)


def test_searches_in_one_dask_worker_wait_for_each_other(cluster):
    """torch's generator belongs to the process."""
    address, _ = cluster

    def work(on_progress):
        assert "SEARCHING" not in os.environ  # of the Dask worker's process
        os.environ["SEARCHING"] = "yes"
        time.sleep(0.5)
        del os.environ["SEARCHING"]

    run_on_dask(address, work, 5, lambda: None, every=0.1)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense"])
def test_a_scheduler_that_does_not_answer_gets_one_line(address, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("search.workers.PATIENCE", 1)
    with pytest.raises(StudyError, match="must be the address of a running scheduler") as error:
        run_on_dask(address, lambda on_progress: None, 1, lambda: None)
    assert "\n" not in str(error.value)
    assert distributed


def test_a_missing_extra_gets_one_line_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPackageError, match=r"`--dask` needs distributed, .*pip install -e '\.\[scale\]'"):
        run_on_dask("tcp://127.0.0.1:1", lambda on_progress: None, 1, lambda: None)


@pytest.mark.slow
def test_a_search_on_dask_and_postgres_survives_a_killed_worker(cluster, postgres, tmp_path):
    """Two Dask workers share a real search in a real PostgreSQL; one is killed in the middle of a trial."""
    address, workers = cluster
    (tmp_path / "small.yaml").write_text(SETTINGS)
    small = ["--config", "small.yaml", "--search.steps", "2048", "--search.validations", "2", "--search.heartbeat_seconds", "1"]
    search = start(tmp_path, "optimize", *small, "--trials", "6", "--storage", postgres, "--dask", address)

    def both_run_and_one_trial_is_done():
        now = studied(postgres, "small-sortino")
        return set(now.running) == {worker.pid for worker in workers} and now.finished

    wait_for(both_run_and_one_trial_is_done)
    dead, alive = workers
    dead.kill()
    out, error = search.communicate(timeout=300)
    assert search.returncode == 0, out + error
    after = studied(postgres, "small-sortino")
    assert after.finished == 6
    lost = [trial for trial in after.trials if trial.state.name == "FAIL"]
    assert [process_of(trial) for trial in lost] == [dead.pid]
    assert lost[0].user_attrs["failure"].startswith("killed")
    retried = [trial for trial in after.trials if trial.user_attrs.get("retry_of") == lost[0].number]
    assert [trial.params for trial in retried] == [lost[0].params]
    assert retried[0].state.is_finished()
    assert process_of(retried[0]) == alive.pid
    assert f"trial {lost[0].number} again" in out  # told where the search was begun
