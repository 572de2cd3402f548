"""Runs commands side by side, as many at a time as there are cores, and passes on what they say."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor


def run_side_by_side(
    commands: Mapping[str, Sequence[str]],
    on_line: Callable[[str, str], None],
    at_once: int = 0,
    environments: Mapping[str, Mapping[str, str]] | None = None,
    on_end: Callable[[str, int], None] = lambda name, code: None,
) -> dict[str, int]:
    """Run every command as a process of its own.

    Ctrl-C reaches the processes too; they are waited for, what they say of it is dropped, and those that had not begun never do.

    Args:
        commands: argument lists, by name.
        on_line: called with the name and each line that is printed, in its order, from one thread at a time.
        at_once: processes that run at the same time; 0 for one a core.
        environments: variables that are added to a command's environment, by name.
        on_end: called with the name and the exit code of each that has ended by itself; negative for the signal that killed it.

    Returns:
        Exit codes, by name; those that never began are missing.

    Raises:
        KeyboardInterrupt: Ctrl-C, after all have ended.
    """
    speaking, stop = threading.Lock(), threading.Event()
    running: set[subprocess.Popen[str]] = set()

    def work(name: str) -> int | None:
        if stop.is_set():
            return None
        environment = os.environ | {"PYTHONUNBUFFERED": "1"} | dict((environments or {}).get(name, {}))
        with subprocess.Popen(
            commands[name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
        ) as process:
            running.add(process)
            for line in process.stdout or ():
                with speaking:
                    if not stop.is_set():
                        on_line(name, line.rstrip("\n"))
        running.discard(process)
        with speaking:
            if not stop.is_set():
                on_end(name, process.returncode)
        return process.returncode

    with ThreadPoolExecutor(at_once or os.cpu_count() or 1) as pool:
        futures = {name: pool.submit(work, name) for name in commands}
        try:
            codes = {name: future.result() for name, future in futures.items()}
        except KeyboardInterrupt:
            stop.set()
            for process in list(running):
                process.send_signal(signal.SIGINT)
            raise
    return {name: code for name, code in codes.items() if code is not None}
