"""What a test starts, ends with it."""

import psutil
import pytest
from scripts import SETTINGS, end_processes, process_of, start, studied, wait_for


@pytest.mark.slow
def test_the_processes_of_a_test_and_their_children_end_with_it(tmp_path):
    """Workers live in sessions of their own, so a kill of the process group would not reach them."""
    (tmp_path / "small.yaml").write_text(SETTINGS)
    search = ["--config", "small.yaml", "--trials", "500", "--workers", "2"]
    process = start(tmp_path, "optimize", *search)
    storage = f"sqlite:///{tmp_path}/studies/coindojo.db"
    wait_for(lambda: len(studied(storage, "small-sortino").running) == 2)
    workers = {process_of(trial) for trial in studied(storage, "small-sortino").running.values()}
    assert len(end_processes()) >= 3
    process.wait(timeout=60)
    wait_for(lambda: not any(runs(worker) for worker in workers), seconds=60)
    assert end_processes() == []


def runs(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
