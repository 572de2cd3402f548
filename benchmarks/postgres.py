"""A PostgreSQL of one's own, in a temporary folder, for as long as the block lasts."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWNER = "postgres"
"""PostgreSQL refuses to run as root: then Debian's user runs it"""


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, or None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    return Path(found).resolve().parent if found else debian[-1].parent if debian else None


@contextmanager
def running_postgres() -> Iterator[str]:
    """Its address, as `search.storage` takes it; the server listens on this machine alone and asks for no password."""
    folder = programs()
    assert folder, "PostgreSQL is not installed"
    place = Path(tempfile.mkdtemp(prefix="coindojo-postgres-"))
    as_owner: list[str] = []
    if os.geteuid() == 0:
        owner = pwd.getpwnam(OWNER)
        os.chown(place, owner.pw_uid, owner.pw_gid)
        as_owner = ["runuser", "-u", OWNER, "--"]

    def call(program: str, *arguments: str) -> None:
        command = [*as_owner, str(folder / program), "-D", str(place / "data"), *arguments]
        with (place / "said.txt").open("ab") as said:  # not a pipe: the server would keep it open
            subprocess.run(command, cwd=place, stdout=said, stderr=said, check=True, timeout=120)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    call("initdb", "-U", "coindojo", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
    options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -p {port}"
    call("pg_ctl", "-w", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://coindojo@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(place, ignore_errors=True)
