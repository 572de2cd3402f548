"""Trials an hour by workers, and what a trial, a heartbeat and a suggestion cost: the figures of docs/scaling.md.

    python -m benchmarks.search                          all of it, about 10 minutes
    python -m benchmarks.search --only workers --keep    or storage, ceiling, sampler; and keep its figures

`workers` runs optimize.py with 1 and 2 workers in turn, so that a slow phase of the machine hits both. One worker has all
cores, and each of two has half of them. A trial trains for 49,152 steps on 8,000 simulated bars; nothing is pruned. The rate
is that of a long search, without the start of the processes and each worker's first trial; the seconds of the whole command
are beside it. `storage` counts what a real trial sends to a database and gets from it: statements by SQLAlchemy's events,
bytes by a proxy in between. `ceiling` lets processes make empty trials as fast as the database bears. PostgreSQL is one of
its own, on this machine; without it, SQLite alone.
"""

import multiprocessing
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import sqlalchemy
from rich.console import Console
from rich.table import Table

from agents import AgentSettings, TrialSettings, suggest
from benchmarks import parts
from benchmarks.postgres import programs, running_postgres
from features import FeatureSettings
from market import simulate, split
from search import Objective, SearchSettings, find_study, open_study, run_study
from search.samplers import SeededByTrial
from search.storage import open_storage, retry_killed
from training import TrainSettings

CONSOLE = Console(soft_wrap=True, highlight=False, width=120)
ROOT = Path(__file__).parents[1]
FORK = multiprocessing.get_context("fork")
ROUNDS, TRIALS = 2, 12
SEARCH = ["--search.sampler", "random", "--search.pruner", "none", "--search.dimensions", "learning_rate"]
SIZE = ["--search.steps", "49152", "--market.bars", "8000"]  # several seconds a trial
CROWDS = (1, 4, 16)
OTHERS = 50
HISTORIES = (100, 1_000, 10_000)
COUNTED = ("transactions", "statements", "bytes_sent", "bytes_received", "bytes_stored")
QUOTED = {
    ("SQLite", "trial"): ("transactions", "statements", "bytes_stored"),
    ("PostgreSQL", "reading"): ("bytes_sent", "bytes_received"),
    **{("PostgreSQL", what): COUNTED[:4] for what in ("trial", "crowded", "heartbeat", "check")},
}
"""the counts that docs/scaling.md quotes, by database and what was done"""


def main() -> None:
    """All parts, or the one that was asked for."""
    options = parts.parser_of(__doc__, tuple(PARTS)).parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parts.run("search", PARTS, options)


def workers() -> dict[str, float]:
    """Trials an hour of a long search, and seconds of the whole command."""
    best: dict[int, float] = {}
    whole: dict[int, float] = {}
    for _ in range(ROUNDS):
        for count in (1, 2):
            with tempfile.TemporaryDirectory() as place:
                command = [sys.executable, str(ROOT / "optimize.py"), *SEARCH, *SIZE]
                command += ["--trials", str(TRIALS), "--workers", str(count)]
                begin = time.perf_counter()
                environment = os.environ | {"COINDOJO_LEDGER": place}  # these trials count for nobody
                subprocess.run(command, cwd=place, check=True, capture_output=True, env=environment)
                whole[count] = min(whole.get(count, np.inf), time.perf_counter() - begin)
                study = find_study(f"sqlite:///{place}/studies/coindojo.db", "default-sortino")
                assert study
                best[count] = max(best.get(count, 0.0), _an_hour(study))
    CONSOLE.print(f"trials an hour: 1 worker {best[1]:,.0f}, 2 workers {best[2]:,.0f}: {best[2] / best[1]:.2f} times")
    CONSOLE.print(f"whole command, {TRIALS} trials: {whole[1]:.0f} s and {whole[2]:.0f} s: {whole[1] / whole[2]:.2f} times")
    return {
        "workers_one_an_hour": best[1],
        "workers_two_an_hour": best[2],
        "workers_times": best[2] / best[1],
        "workers_trial_seconds": 3600 / best[1],
        "workers_one_whole_seconds": whole[1],
        "workers_two_whole_seconds": whole[2],
        "workers_whole_times": whole[1] / whole[2],
    }


def storage() -> dict[str, float]:
    """Statements and bytes of a real trial of 10 parameters and 4 validations, a heartbeat, and reading another's trial."""
    table = Table(title="a trial of 4 validations on 1 window, the 20 before it made elsewhere")
    for heading in ("database", "what", *(name.replace("_", " ") for name in COUNTED)):
        table.add_column(heading, justify="left" if heading in ("database", "what") else "right")
    figures: dict[str, float] = {}
    for database, open_it in _databases():
        with open_it() as (url, size, wire):
            for what, counted in _traffic(url, size, wire).items():
                table.add_row(database, what, *(f"{value:,.0f}" if value is not None else "" for value in counted))
                values = dict(zip(COUNTED, counted, strict=True))
                for name in QUOTED.get((database, what), ()):
                    figures[f"storage_{database.lower()}_{what}_{name}"] = values[name] or 0.0
    CONSOLE.print(table)
    return figures


def ceiling() -> dict[str, float]:
    """Empty trials a second: 10 parameters, 4 validations, nothing trained."""
    table = Table(title="empty trials a second, by processes that make them")
    table.add_column("database")
    for crowd in CROWDS:
        table.add_column(f"{crowd}", justify="right")
    figures: dict[str, float] = {}
    for database, open_it in _databases():
        with open_it() as (url, _, _):
            rates = {crowd: _rush(url, crowd) for crowd in CROWDS}
        table.add_row(database, *(f"{rate:,.1f}" for rate in rates.values()))
        figures |= {f"ceiling_{database.lower()}_{crowd}": rate for crowd, rate in rates.items()}
    CONSOLE.print(table)
    return figures


def sampler() -> dict[str, float]:
    """Milliseconds that TPE takes to propose 10 parameters, by the trials that it has seen."""
    search, found = SearchSettings(), dict[str, float]()
    for history in HISTORIES:
        study = optuna.create_study(sampler=SeededByTrial(search))
        trials = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        trials.optimize(_empty, n_trials=100)
        for number in range(history):
            study.add_trial(trials.trials[number % 100])
        began = time.perf_counter()
        study.optimize(_empty, n_trials=5)
        found[f"sampler_{history}_ms"] = 200 * (time.perf_counter() - began)
        CONSOLE.print(f"a suggestion of TPE after {history:,} trials: {found[f'sampler_{history}_ms']:,.0f} ms")
    return found


PARTS: dict[str, Callable[[], dict[str, float]]] = {
    "workers": workers,
    "storage": storage,
    "ceiling": ceiling,
    "sampler": sampler,
}


def _an_hour(study: optuna.Study) -> float:
    """The workers' rates together, each from the end of its first trial, in which it warms up, to that of its last."""
    ends: dict[str, list[datetime]] = {}
    for trial in study.trials:
        ends.setdefault(trial.user_attrs["worker"], []).append(trial.datetime_complete or datetime.now())
    return sum(3600 * (len(own) - 1) / (max(own) - min(own)).total_seconds() for own in ends.values())


Opened = tuple[str, Callable[[], int], list[int]]


def _databases() -> Iterator[tuple[str, Callable[[], AbstractContextManager[Opened]]]]:
    yield "SQLite", _sqlite
    if programs():
        yield "PostgreSQL", _postgres


@contextmanager
def _sqlite() -> Iterator[Opened]:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "a.db"
        with closing(sqlite3.connect(file)) as connection:
            pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            yield f"sqlite:///{file}", lambda: int(connection.execute(pages).fetchone()[0]), []


@contextmanager
def _postgres() -> Iterator[Opened]:
    """Behind a proxy that counts the bytes sent and received."""
    with running_postgres() as url:
        server = sqlalchemy.make_url(url)
        engine = sqlalchemy.create_engine(url)
        wire = [0, 0]
        with _counting(int(server.port or 0), wire) as port, engine.connect() as connection:
            size = sqlalchemy.text("SELECT pg_database_size(current_database())")
            yield server.set(port=port).render_as_string(), lambda: int(connection.execute(size).scalar_one()), wire


@contextmanager
def _counting(port: int, wire: list[int]) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket, place: int) -> None:
        with suppress(OSError):  # the other way has closed both
            while chunk := source.recv(1 << 16):
                wire[place] += len(chunk)
                sink.sendall(chunk)
        sink.close()

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", port))
            for way in ((client, server, 0), (server, client, 1)):
                threading.Thread(target=pump, args=way, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def _traffic(url: str, size: Callable[[], int], wire: list[int]) -> dict[str, list[float | None]]:
    """What is counted, of one each: a trial, alone and while others run, a heartbeat, a check for killed workers, a reading."""
    ranges = split(simulate("bitcoin", bars=1_500, seed=0))
    base = TrialSettings(
        features=FeatureSettings(indicators=("rsi",)), agent=AgentSettings(n_envs=8, n_steps=64, n_epochs=1, lstm_size=16)
    )
    search = SearchSettings(trials=20, steps=2_048, validations=4, pruner="none", storage=url, heartbeat_seconds=3_600)
    study = open_study(search, "traffic", {}, base)
    run_study(study, Objective(ranges, base, TrainSettings(), search))
    counts = _Counts(study, size, wire)
    more = search.model_copy(update={"trials": 30})
    found = {"trial": counts.of(lambda: run_study(study, Objective(ranges, base, TrainSettings(), more)), 10)}
    beaten = study.trials[-1]._trial_id
    backend = study._storage._backend  # type: ignore[attr-defined]
    found["heartbeat"] = counts.of(lambda: _repeat(100, lambda: backend.record_heartbeat(beaten)), 100)
    found["check"] = counts.of(lambda: _repeat(20, lambda: retry_killed(study)), 20)
    for _ in range(OTHERS):
        other = study.ask()
        other.set_user_attr("settings", suggest(other, base, search.searched).model_dump(mode="json"))
    retry_killed(study)  # which gives each of them its first heartbeat
    objective = Objective(ranges, base, TrainSettings(), search)

    def one_more() -> None:
        retry_killed(study)
        study.optimize(objective, n_trials=1)

    found["crowded"] = counts.of(lambda: _repeat(5, one_more), 5)
    reader = optuna.load_study(study_name="traffic", storage=open_storage(url))
    found["reading"] = _Counts(reader, size, wire).of(reader.get_trials, 35 + OTHERS)
    return found


def _repeat(times: int, act: Callable[[], None]) -> None:
    for _ in range(times):
        act()


class _Counts:
    """Of one study's connections."""

    def __init__(self, study: optuna.Study, size: Callable[[], int], wire: list[int]) -> None:
        self._size, self._wire, self._events = size, wire, [0, 0]
        engine = study._storage._backend.engine  # type: ignore[attr-defined]
        sqlalchemy.event.listen(engine, "begin", lambda connection: self._add(0))
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *_: self._add(1))

    def _add(self, place: int) -> None:
        self._events[place] += 1

    def of(self, act: Callable[[], object], times: int) -> list[float | None]:
        before = [*self._events, *(self._wire or (0, 0)), self._size()]
        act()
        time.sleep(0.2)  # the proxy's threads finish
        after = [*self._events, *(self._wire or (0, 0)), self._size()]
        found: list[float | None] = [(late - early) / times for early, late in zip(before, after, strict=True)]
        return found if self._wire else [*found[:2], None, None, found[4]]


def _rush(url: str, crowd: int, seconds: float = 6.0) -> float:
    name = f"rush-{crowd}"
    optuna.create_study(study_name=name, storage=open_storage(url))
    ready, counted = FORK.Barrier(crowd), FORK.Queue()
    processes = [FORK.Process(target=_make_empty_trials, args=(url, name, seconds, ready, counted)) for _ in range(crowd)]
    for process in processes:
        process.start()
    rates = [counted.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    return sum(rates)


def _make_empty_trials(url, name, seconds, ready, counted) -> None:  # type: ignore[no-untyped-def]
    search = SearchSettings(sampler="random")
    study = optuna.load_study(study_name=name, storage=open_storage(url), sampler=SeededByTrial(search))
    ready.wait()
    began, made = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        retry_killed(study)
        study.optimize(_empty, n_trials=1)
        made += 1
    counted.put(made / (time.monotonic() - began))


def _empty(trial: optuna.Trial) -> float:
    drawn = [trial.suggest_float(f"x{number}", 0.0, 1.0) for number in range(10)]
    trial.set_user_attr("settings", {"x": drawn})
    for look in range(4):
        trial.report(drawn[0], look)
        trial.should_prune()
        trial.set_user_attr("folds", drawn[: look + 1])
    return drawn[0]


if __name__ == "__main__":
    main()
