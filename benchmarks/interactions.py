"""Our models of interactions against xLearn and deepctr-torch: seconds of an epoch, and AUC on clicks that none has seen.

    python -m benchmarks.interactions                    about 20 minutes; --keep keeps the figures that the pages quote
    python -m benchmarks.interactions --only kernels     one part: kernels, networks, auc, criteo or memory

The peers are installed into virtual environments of their own; xLearn is compiled, which needs cmake and a C++ compiler. The
clicks are the Frappe log (Baltrunas et al. 2015) and the small Criteo files, in the folder of the tests' data.

kernels: processor seconds of an epoch on one core, AdaGrad, k 4, the peer's as the difference of many epochs and few, so that
    reading the file does not count; rounds of ours and theirs take turns, and the least of each counts.
networks: rows a second in training, k 16, hidden layers 128 and 64, batches of 1,024, Adam, the fastest of three epochs.
auc: each model and its peer are trained with each setting of one small grid on nine tenths of the training file; the epoch and
    the setting with the best AUC on the other tenth are kept. The chosen setting of a network is trained with further seeds; the
    test AUC is the mean of their trainings, ± its standard error.
criteo: ffm with the settings of libffm's example, of which the losses are known.
memory: a file of millions of rows, written for this, and what training on it takes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from benchmarks.peers import host
from features.fields import FieldData, FieldRows, FieldSettings, RowsInMemory, prepare
from features.interactions import KERNELS, InteractionSettings, Shape, fit_interactions, make_learner
from features.interactions.losses import auc_of

DATA = Path(os.environ.get("COINDOJO_DATA", host.ROOT.parent / "shared" / "data")) / "ctr"
CONSOLE = Console(width=120, highlight=False)
NETWORKS = ("wide_deep", "dcn", "deepfm", "xdeepfm")
ROUNDS, FEW, MANY = 5, 10, 50
GRIDS: dict[str, dict[str, tuple[float, ...]]] = {
    "kernel": {"learning_rate": (0.05, 0.2), "l2": (2e-5, 2e-3)},
    "network": {"embedding_rate": (1.0, 3.0), "dropout": (0.0, 0.3)},
}
NETWORK_RATE = 3e-3
"""of the layers; with 0.001 the AUC on the tenth was lower within EPOCHS, for deepfm and its peer alike"""
EPOCHS = 20
PATIENCE = {"kernel": 2, "network": 5}
"""epochs without a new best AUC. The networks' AUC stays near 0.929 for several epochs before it rises to 0.94 and more. With a
patience of 2 it was luck whether a training ended there: deepfm's seeds had a deviation of 0.005, with 5 one of 0.001"""
SEEDS = {"kernel": (0,), "network": (0, 1, 2)}
"""the first chooses the setting; the kernels' trainings differ little, and cost the peer a process each"""
LIBFFM = (0.47600, 0.54265)
"""training and validation loss that libffm prints for `-k 4 -t 15 -r 0.2 -l 2e-5` on the small Criteo files"""
MEMORY_FIELDS = 34
TrainWith = Callable[[str, dict[str, float], int], tuple[float, np.ndarray]]
"""of a model, a setting and a seed: the AUC on the tenth that was not learned from, and probabilities of the test rows"""


def main() -> None:
    """Print the tables."""
    options = parts.parser_of(__doc__, tuple(PARTS)).parse_args()
    if not DATA.exists():
        raise SystemExit(f"the click-through files {DATA} are not here; COINDOJO_DATA names the folder above them")
    parts.run("interactions", PARTS, options)


def kernels() -> dict[str, float]:
    """Seconds of an epoch."""
    train = frappe()[0]
    found: dict[str, float] = {}
    table = Table("model", "ours, ms", "xLearn, ms", "times as fast", title="an epoch of 57,722 rows on one core", box=None)
    for name in KERNELS:
        learner = make_learner(name, Shape(train.n_features, 10), InteractionSettings())
        learner.learn(train.rows, np.arange(100))
        ours: list[float] = []
        spent: dict[int, list[float]] = {FEW: [], MANY: []}
        for _ in range(ROUNDS):
            for order in [shuffled(train) for _ in range(FEW)]:
                began = time.process_time()
                learner.learn(train.rows, order)
                ours.append(time.process_time() - began)
            for epochs, seconds in spent.items():
                seconds.append(xlearn(name, epochs=epochs)["processor_seconds"])
        # The least of each: what else runs on the machine only adds to it.
        mine, peer = min(ours), (min(spent[MANY]) - min(spent[FEW])) / (MANY - FEW)
        table.add_row(name, f"{mine * 1e3:.1f}", f"{peer * 1e3:.1f}", f"{peer / mine:.2f}")
        found |= {f"kernels_{name}_seconds": mine, f"kernels_{name}_times": peer / mine}
    CONSOLE.print(table)
    return {name: float(value) for name, value in found.items()}


def networks() -> dict[str, float]:
    """Rows a second."""
    train = frappe()[0]
    found: dict[str, float] = {}
    table = Table("model", "threads", "ours", "deepctr-torch", "times as fast", title="rows a second in training", box=None)
    for name, threads in product(NETWORKS, (1, 2)):
        learner = make_learner(name, Shape(train.n_features, 10), InteractionSettings(threads=threads))
        learner.learn(train.rows, np.arange(2_048))
        ours, theirs = 0.0, 0.0
        for _ in range(3):
            began = time.perf_counter()
            learner.learn(train.rows, shuffled(train))
            ours = max(ours, train.n_rows / (time.perf_counter() - began))
            theirs = max(theirs, deepctr(name, threads=threads, epochs=2, score=False)["rows_per_second"])
        table.add_row(name, str(threads), f"{ours:,.0f}", f"{theirs:,.0f}", f"{ours / theirs:.1f}")
        if threads == 1:
            found |= {f"networks_{name}_rows": ours, f"networks_{name}_times": ours / theirs}
    CONSOLE.print(table)
    return found


def auc() -> dict[str, float]:
    """AUC on the test file, tuned alike."""
    found: dict[str, float] = {}
    table = Table("model", "ours", "peer", "difference", "ours with", "peer with", title="AUC on frappe.test", box=None)
    for name in ("lr", "fm", "ffm", *NETWORKS):
        mine, peer = tuned(name, ours_with), tuned(name, theirs_with)
        difference, error = mine.mean - peer.mean, float(np.hypot(mine.error, peer.error))
        cells = in_words(mine.mean, mine.error), in_words(peer.mean, peer.error), in_words(difference, error, "+")
        table.add_row(name, *cells, mine.choice, peer.choice)
        found |= {f"auc_{name}": mine.mean, f"auc_{name}_peer": peer.mean}
        if error:
            found |= {f"auc_{name}_difference": difference, f"auc_{name}_error": error}
    CONSOLE.print(table)
    return found


def criteo() -> dict[str, float]:
    """Losses of ffm on the small Criteo files, over seeds.

    libffm gives features that train never showed their first, random weights; here they count as absent. Both are told: the first
    with the features of both files known.
    """
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        folder, files = Path(place), [DATA / f"criteo-small.{part}.libffm" for part in ("train", "test")]
        both = folder / "both.libffm"
        both.write_bytes(b"".join(file.read_bytes() for file in files))
        settings = FieldSettings(overlap="share")
        for words, known in (("as libffm", both), ("unseen features absent", files[0])):
            schema = prepare(known, settings, folder=folder).schema
            train, test = (prepare(file, settings, schema, folder=folder) for file in files)
            losses = np.array([criteo_losses(train, test, seed) for seed in range(10)])
            (loss, validation), spread = losses.mean(axis=0), losses.std(axis=0)
            CONSOLE.print(
                f"ffm on small Criteo, ten seeds, {words}: loss {loss:.4f} ± {spread[0]:.4f} (libffm {LIBFFM[0]}), "
                f"validation {validation:.4f} ± {spread[1]:.4f} (libffm {LIBFFM[1]})"
            )
            if known == both:
                found |= {"criteo_loss": float(loss), "criteo_validation_loss": float(validation)}
            else:
                found |= {"criteo_absent_validation_loss": float(validation)}
    return found


def criteo_losses(train: FieldData, test: FieldData, seed: int) -> tuple[float, float]:
    given = InteractionSettings(epochs=15, patience=15, linear=False, init_scale=1.0, k=4, learning_rate=0.2, l2=2e-5, seed=seed)
    last = fit_interactions("ffm", train, test, given).history[-1]
    return last.loss, last.validation_loss


def memory() -> dict[str, float]:
    """Seconds and memory at ten million rows, in a process of its own."""
    with tempfile.TemporaryDirectory(dir=host.ROOT) as folder:
        file = Path(folder) / "clicks.libffm"
        write_clicks(file, 10_000_000)
        code = f"from benchmarks.interactions import train_large; train_large({str(file)!r})"
        done = subprocess.run([sys.executable, "-c", code], cwd=host.ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    for name, value in found.items():
        CONSOLE.print(f"{name}: {value:,.1f}")
    return {f"memory_{name}": value for name, value in found.items()}


def train_large(path: str) -> None:
    """An epoch of each model on that file; prints seconds and the most memory that was taken, in GB."""
    import threading

    peak, process = [0], psutil.Process()
    found: dict[str, float] = {}

    def watch() -> None:
        while True:
            peak[0] = max(peak[0], process.memory_info().rss)
            time.sleep(0.02)

    threading.Thread(target=watch, daemon=True).start()
    began = time.perf_counter()
    data = prepare(Path(path), FieldSettings(hash_bits=18), folder=Path(path).parent)
    found |= {"prepare_seconds": time.perf_counter() - began, "prepare_gb": peak[0] / 1e9}
    for name in ("lr", "fm", "ffm", "deepfm"):
        peak[0] = 0
        fitted = fit_interactions(name, data, None, InteractionSettings(epochs=1))
        found |= {f"{name}_seconds": fitted.history[0].seconds, f"{name}_gb": peak[0] / 1e9}
    print(json.dumps(found))


def write_clicks(path: Path, rows: int) -> None:
    """Rows of `MEMORY_FIELDS` fields of up to 30,000 features each, most of them rare, as libffm."""
    draw, names = np.random.default_rng(0), [[f"{f}:{f * 30_000 + n}:1" for n in range(30_000)] for f in range(MEMORY_FIELDS)]
    with path.open("w") as file:
        for first in range(0, rows, 100_000):
            count = min(100_000, rows - first)
            columns = [draw.integers(0, 2, count).astype(str).tolist()]
            for of_field in names:
                columns.append([of_field[n] for n in np.minimum(draw.zipf(1.3, count) - 1, 29_999).tolist()])
            file.write("".join(" ".join(entries) + "\n" for entries in zip(*columns, strict=True)))


# --- the clicks -------------------------------------------------------------------------------------------------------------


@cache
def frappe() -> tuple[RowsInMemory, RowsInMemory]:
    """All training rows and all test rows, in memory."""
    settings, held = FieldSettings(libsvm_fields="by_position"), []
    with tempfile.TemporaryDirectory() as folder:
        train = prepare(DATA / "frappe.train.libfm", settings, folder=Path(folder))
        test = prepare(DATA / "frappe.test.libfm", settings, train.schema, folder=Path(folder))
        for data in (train, test):
            rows = data.block(0)
            arrays = rows.labels, rows.starts, rows.features, rows.fields, rows.values
            held.append(RowsInMemory(FieldRows(*(array.copy() for array in arrays)), data.field_names, data.n_features))
    return held[0], held[1]


@cache
def cut() -> tuple[RowsInMemory, RowsInMemory]:
    """The training rows in a random order: nine tenths to learn from, one tenth to choose by."""
    train = frappe()[0]
    order = np.random.default_rng(0).permutation(train.n_rows)
    edge = train.n_rows * 9 // 10
    return taken(train, order[:edge]), taken(train, order[edge:])


def taken(data: RowsInMemory, order: np.ndarray) -> RowsInMemory:
    rows = data.rows
    entries = np.concatenate([np.arange(rows.starts[row], rows.starts[row + 1]) for row in order])
    starts = np.concatenate([[0], np.cumsum(np.diff(rows.starts)[order])])
    parts_of = rows.labels[order], starts, rows.features[entries], rows.fields[entries], rows.values[entries]
    return RowsInMemory(FieldRows(*parts_of), data.field_names, data.n_features)


def shuffled(data: RowsInMemory) -> np.ndarray:
    return np.random.default_rng().permutation(data.n_rows)


# --- tuning -----------------------------------------------------------------------------------------------------------------


class Tuned(NamedTuple):
    """The test AUC of a chosen setting: mean over the seeds, its standard error (0 with one seed), and the setting in words."""

    mean: float
    error: float
    choice: str


def tuned(name: str, train_with: TrainWith) -> Tuned:
    """Choose the setting with the best AUC on the tenth that was not learned from, and judge it by the test rows."""
    kind, labels = kind_of(name), frappe()[1].rows.labels
    grid, (first, *others) = GRIDS[kind], SEEDS[kind]
    tried = []
    for values in product(*grid.values()):
        setting = dict(zip(grid, values, strict=True))
        score, told = train_with(name, setting, first)
        tried.append((score, told, setting))
    _, told, setting = max(tried, key=lambda one: one[0])
    all_told = [told, *(train_with(name, setting, seed)[1] for seed in others)]
    scores = np.array([auc_of(probabilities, labels) for probabilities in all_told])
    error = float(scores.std(ddof=1) / np.sqrt(len(scores))) if others else 0.0
    return Tuned(float(scores.mean()), error, ", ".join(f"{value:g}" for value in setting.values()))


def in_words(score: float, error: float, sign: str = "") -> str:
    return f"{score:{sign}.4f} ± {error:.4f}" if error else f"{score:{sign}.4f}"


def kind_of(name: str) -> str:
    return "kernel" if name in KERNELS else "network"


def ours_with(name: str, setting: dict[str, float], seed: int) -> tuple[float, np.ndarray]:
    """AUC on the tenth, and probabilities of the test rows."""
    train, stop = cut()
    rate = {} if name in KERNELS else {"learning_rate": NETWORK_RATE}
    asked = {"epochs": EPOCHS, "patience": PATIENCE[kind_of(name)], "stop_by": "auc", "seed": seed}
    fitted = fit_interactions(name, train, stop, InteractionSettings.model_validate(asked | rate | setting))
    return auc_of(fitted.margins(stop), stop.rows.labels), fitted.predict(frappe()[1])


def theirs_with(name: str, setting: dict[str, float], seed: int) -> tuple[float, np.ndarray]:
    """The same of the peer; xLearn is given no seed."""
    if name not in KERNELS:
        told = deepctr(name, threads=1, epochs=EPOCHS, score=True, rate=NETWORK_RATE, seed=seed, **setting)
        return told["score"], np.array(told["probabilities"])
    rows = {"rate": setting["learning_rate"], "l2": setting["l2"]}
    scored = [
        np.loadtxt(xlearn(name, epochs=EPOCHS, validated=True, part=part, **rows)["probabilities"]) for part in ("stop", "test")
    ]
    return auc_of(scored[0], cut()[1].rows.labels), scored[1]


# --- the peers --------------------------------------------------------------------------------------------------------------

FOLDER = Path(tempfile.mkdtemp(prefix="coindojo-peers-"))


def xlearn(
    name: str, epochs: int, validated: bool = False, part: str | None = None, rate: float = 0.2, l2: float = 2e-5
) -> dict[str, Any]:
    """One training of xLearn's, on one core."""
    asked = {
        "model": name, "epochs": epochs, "threads": 1, "rate": rate, "l2": l2, "k": 4, "folder": str(FOLDER),
        "train": text_of("nine tenths" if validated else "train", name),
        "validation": text_of("stop", name) if validated else None, "test": text_of(part, name) if part else None,
    }  # fmt: skip
    return answer("xlearn", "xlearn_clicks", asked)


def deepctr(
    name: str, threads: int, epochs: int, score: bool, dropout: float = 0.0, rate: float = 1e-3, embedding_rate: float = 1.0,
    seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """One training of deepctr-torch's; its penalty is that of its defaults."""
    asked = {
        "model": name, "epochs": epochs, "patience": PATIENCE["network"], "threads": threads, "rate": rate,
        "embedding_rate": embedding_rate, "seed": seed, "l2": 1e-5, "dropout": dropout,
        "k": 16, "hidden": [128, 64], "batch_size": 1_024, "score": score, "rows": arrays(score),
    }  # fmt: skip
    return answer("deepctr-torch", "deepctr_clicks", asked, threads)


def answer(package: str, script: str, asked: dict[str, Any], threads: int = 1) -> dict[str, Any]:
    """What the script says in the package's environment.

    Raises:
        PeerError: it cannot be installed, or it fails.
    """
    python = host.install(package)
    environment = os.environ | {name: str(threads) for name in host.ONE_THREAD}
    command = [python, "-W", "ignore", str(host.HERE / f"{script}.py"), json.dumps(asked)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=FOLDER)
    said = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not said:
        raise host.PeerError(f"does not run: {host.last_line(done.stderr)}")
    told: dict[str, Any] = json.loads(said[-1])
    return told


@cache
def text_of(part: str, name: str) -> str:
    """A file in xLearn's format, labels 0 and 1; for ffm with fields."""
    data = {"train": frappe()[0], "test": frappe()[1], "nine tenths": cut()[0], "stop": cut()[1]}[part]
    path, rows = FOLDER / f"{part.replace(' ', '-')}.{'ffm' if name == 'ffm' else 'svm'}", data.rows
    if not path.exists():
        lines = []
        for row in range(data.n_rows):
            entries = range(rows.starts[row], rows.starts[row + 1])
            field = [f"{rows.fields[entry]}:" if name == "ffm" else "" for entry in entries]
            words = [f"{f}{rows.features[entry]}:{rows.values[entry]:g}" for f, entry in zip(field, entries, strict=True)]
            lines.append(f"{rows.labels[row]:g} {' '.join(words)}\n")
        path.write_text("".join(lines))
    return str(path)


@cache
def arrays(score: bool) -> str:
    """An npz file of numbers within each field, 0 for what train does not show."""
    train, stop = cut() if score else (frappe()[0], frappe()[0])
    path, sizes = FOLDER / f"rows-{score}.npz", np.zeros(10, np.int64)
    held: dict[str, np.ndarray] = {}
    firsts = np.array([frappe()[0].rows.features[f::10].min() for f in range(10)])
    for part, data in (("train", train), ("validation", stop), ("test", frappe()[1])):
        numbers = np.zeros((data.n_rows, 10), np.int64)
        owner = np.repeat(np.arange(data.n_rows), np.diff(data.rows.starts))
        numbers[owner, data.rows.fields] = data.rows.features - firsts[data.rows.fields] + 1
        held |= {part: numbers, f"{part}_labels": data.rows.labels}
        sizes = np.maximum(sizes, numbers.max(axis=0) + 1)
    np.savez(path, allow_pickle=False, sizes=sizes, **held)
    return str(path)


PARTS = {"kernels": kernels, "networks": networks, "auc": auc, "criteo": criteo, "memory": memory}

if __name__ == "__main__":
    main()
