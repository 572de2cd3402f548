"""deepctr-torch: one training, in its own environment. Takes a JSON object, prints one.

Of `rows`, an npz file with `train`, `validation`, `test` int64 (n, F) and their `..._labels`, `sizes` (F,), `model`, `epochs`,
`patience`, `threads`, `rate`, `embedding_rate` (the embeddings' and linear weights' step in multiples of `rate`), `seed`, `l2`,
`dropout`, `k`, `hidden`, `batch_size`, and `score` (whether epochs are chosen by the validation AUC, else all are made):
`rows_per_second`, the fastest epoch's, and with `score` `probabilities` of the test rows.
"""

import json
import sys
import time

import numpy as np
import torch
from deepctr_torch.inputs import SparseFeat
from deepctr_torch.models import DCN, WDL, DeepFM, xDeepFM
from sklearn.metrics import roc_auc_score


def main() -> None:
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked["threads"])
    data = np.load(asked["rows"])
    columns = [SparseFeat(f"f{f}", int(size), embedding_dim=asked["k"]) for f, size in enumerate(data["sizes"])]
    rows = {f"f{f}": data["train"][:, f] for f in range(len(columns))}
    kinds = {"wide_deep": (WDL, {}), "dcn": (DCN, {"cross_num": 3}), "deepfm": (DeepFM, {}),
             "xdeepfm": (xDeepFM, {"cin_layer_size": (64, 64)})}  # fmt: skip
    kind, own = kinds[asked["model"]]
    penalty = {"l2_reg_linear": asked["l2"], "l2_reg_embedding": asked["l2"]}
    model = kind(
        columns, columns, dnn_hidden_units=tuple(asked["hidden"]), dnn_dropout=asked["dropout"], task="binary", device="cpu",
        seed=asked["seed"], **penalty, **own,
    )  # fmt: skip
    parts: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
    for name, weight in model.named_parameters():
        parts["embedding_dict" in name].append(weight)
    table = {"params": parts[True], "lr": asked["rate"] * asked["embedding_rate"]}
    model.compile(torch.optim.Adam([table, {"params": parts[False]}], lr=asked["rate"]), "binary_crossentropy", metrics=[])
    seconds, best, since, told = [], -1.0, 0, []
    for _ in range(asked["epochs"]):
        began = time.perf_counter()
        model.fit(rows, data["train_labels"], batch_size=asked["batch_size"], epochs=1, verbose=0)
        seconds.append(time.perf_counter() - began)
        if asked["score"]:
            auc = roc_auc_score(data["validation_labels"], told_of(model, data["validation"]))
            if auc > best:
                best, since, told = auc, 0, told_of(model, data["test"]).tolist()
            elif (since := since + 1) >= asked["patience"]:
                break
    print(json.dumps({"rows_per_second": len(data["train"]) / min(seconds), "score": best, "probabilities": told}), flush=True)


def told_of(model: torch.nn.Module, rows: np.ndarray) -> np.ndarray:
    """Probabilities (n,); the package's own `predict` gives the same, and takes as long as an epoch."""
    model.eval()
    with torch.no_grad():
        parts = [model(torch.from_numpy(rows[first : first + 4_096]).float()) for first in range(0, len(rows), 4_096)]
    return torch.cat(parts).numpy().ravel()


main()
