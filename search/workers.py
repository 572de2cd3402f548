"""Runs the workers of a search: processes on this machine, each on its share of the cores, or tasks of a Dask cluster."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from common import InputError, needed_for, run_side_by_side
from search.errors import StudyError

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
PATIENCE = 20
"""seconds that a Dask scheduler has to answer"""
OnProgress = Callable[[int], None]
ONE_AT_A_TIME = threading.Lock()
"""torch's generator and threads belong to the process: two searches in one would disturb each other"""


def share_of_cores(worker: int, workers: int) -> list[int]:
    """The cores of worker 0, 1, ...: as many for each; with more workers than cores, one each, in turn."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    if workers >= len(cores):
        return [cores[worker % len(cores)]]
    each = len(cores) // workers
    return cores[worker * each : (worker + 1) * each]


def stay_on(cores: Sequence[int]) -> None:
    """Run this process on these cores alone, where the system lets it."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, cores)


def run_workers(command: Sequence[str], workers: int, on_line: Callable[[str], None]) -> bool:
    """So many processes of the command, each with `--worker K/N` behind it, and its libraries held to its share of the cores.

    Returns:
        Whether all ended well. One that is killed is told, and the others go on.

    Raises:
        KeyboardInterrupt: Ctrl-C, after all have ended.
    """
    names = [f"{worker}/{workers}" for worker in range(workers)]
    threads = {name: str(len(share_of_cores(worker, workers))) for worker, name in enumerate(names)}
    codes = run_side_by_side(
        {name: [*command, "--worker", name] for name in names},
        lambda name, line: on_line(line),
        at_once=workers,
        environments={name: dict.fromkeys(THREADS, count) for name, count in threads.items()},
        on_end=lambda name, code: on_line(f"worker {name} {_of(code)}; the others try its trial again") if code < 0 else None,
    )
    return not any(codes.values())


def run_on_dask(
    address: str, work: Callable[[OnProgress], None], workers: int | None, meanwhile: Callable[[], None], every: float = 1.0
) -> None:
    """So many tasks of `work` on a running Dask cluster; one for each of its workers by default.

    A task that is lost with its Dask worker is given to another by the scheduler, and its trial by its silence.

    Args:
        address: of the scheduler, such as tcp://scheduler:8786.
        work: called in a thread of a Dask worker, with what it must call from time to time: it ends the search after Ctrl-C here.
        meanwhile: called here, once every `every` seconds, and once more at the end.

    Raises:
        StudyError: no `dask.distributed`, no scheduler, or Dask workers that all die of it.
        InputError: what `work` raised first, after all have ended.
        KeyboardInterrupt: Ctrl-C, after all have ended.
    """
    client = _client(address)
    with client:
        called_off = f"coindojo-{uuid.uuid4()}"
        tasks = [client.submit(_task, work, called_off, pure=False) for _ in range(workers or len(client.nthreads()))]
        try:
            while not all(task.done() for task in tasks):
                time.sleep(every)
                meanwhile()
        except KeyboardInterrupt:
            _call_off(client, called_off, tasks)
            raise
        errors = [error for error in (task.exception() for task in tasks) if error]
    if errors:
        raise next((error for error in errors if isinstance(error, InputError)), errors[0])


def _client(address: str) -> Any:
    with needed_for("`--dask`"):
        from distributed import Client
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise StudyError(f"`--dask` must be the address of a running scheduler, but {address}: {error}") from error
    if not client.nthreads():
        raise StudyError(f"a search needs Dask workers, but the scheduler {address} has none; start some: dask worker {address}")
    return client


def _task(work: Callable[[OnProgress], None], called_off: str) -> None:
    from distributed import Event

    event, looked = Event(called_off), time.monotonic()

    def on_progress(step: int) -> None:
        nonlocal looked
        if time.monotonic() - looked > 1:
            looked = time.monotonic()
            if event.is_set():
                raise KeyboardInterrupt

    with ONE_AT_A_TIME, suppress(KeyboardInterrupt):
        if not event.is_set():
            work(on_progress)


def _call_off(client: Any, name: str, tasks: Sequence[Any]) -> None:
    from distributed import Event, wait

    Event(name, client=client).set()
    wait(tasks)


def _of(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}"
