"""deepctr-torch: one training, in its own environment. Takes a JSON object, prints one.

Of `rows`, an npz file with `train`, `validation`, `test` int64 (n, F) and their `..._labels`, `sizes` (F,), `model`, `epochs`,
`patience`, `threads`, `rate`, `l2`, `dropout`, `k`, `hidden`, `batch_size`, and `score` (whether epochs are chosen by the
validation AUC, else all are made): `rows_per_second`, the fastest epoch's, and with `score` `probabilities` of the test rows.
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
    rows = {part: {f"f{f}": data[part][:, f] for f in range(len(columns))} for part in ("train", "validation", "test")}
    kinds = {"wide_deep": (WDL, {}), "dcn": (DCN, {"cross_num": 3}), "deepfm": (DeepFM, {}),
             "xdeepfm": (xDeepFM, {"cin_layer_size": (64, 64)})}  # fmt: skip
    kind, own = kinds[asked["model"]]
    penalty = {"l2_reg_linear": asked["l2"], "l2_reg_embedding": asked["l2"]}
    model = kind(
        columns, columns, dnn_hidden_units=tuple(asked["hidden"]), dnn_dropout=asked["dropout"], task="binary", device="cpu",
        seed=0, **penalty, **own,
    )  # fmt: skip
    model.compile(torch.optim.Adam(model.parameters(), lr=asked["rate"]), "binary_crossentropy", metrics=[])
    seconds, best, since, told = [], -1.0, 0, []
    for _ in range(asked["epochs"]):
        began = time.perf_counter()
        model.fit(rows["train"], data["train_labels"], batch_size=asked["batch_size"], epochs=1, verbose=0)
        seconds.append(time.perf_counter() - began)
        if asked["score"]:
            auc = roc_auc_score(data["validation_labels"], model.predict(rows["validation"], 4_096).ravel())
            if auc > best:
                best, since, told = auc, 0, model.predict(rows["test"], 4_096).ravel().tolist()
            elif (since := since + 1) >= asked["patience"]:
                break
    print(json.dumps({"rows_per_second": len(data["train"]) / min(seconds), "score": best, "probabilities": told}), flush=True)


main()
