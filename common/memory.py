"""How much memory there is."""

from contextlib import suppress
from pathlib import Path

MEMORY_OF_SYSTEM, LIMIT_OF_CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")


def free_memory() -> int | None:
    """Bytes that a process can get at most: what the system has left, or a container's whole limit where that is less.

    Memory that holds copies of files counts as free. None where the system does not say, as outside of Linux.
    """
    free: list[int] = []
    with suppress(OSError, StopIteration, ValueError):
        lines = MEMORY_OF_SYSTEM.read_text().splitlines()
        free.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]))
    with suppress(OSError, ValueError):  # without a limit it holds the word `max`
        free.append(int(LIMIT_OF_CONTAINER.read_text()))
    return min(free, default=None)
