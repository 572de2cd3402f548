"""xLearn: one training, in its own environment. Takes a JSON object, prints one.

Of `train`, `validation` (or null) and `test` (or null), files in its format, `model`, `epochs`, `threads`, `rate`, `l2`, `k` and
`folder`: `seconds`, `processor_seconds`, and with `test` the file `probabilities`.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("USER", "nobody")  # without one it crashes

import xlearn


def main() -> None:
    asked = json.loads(sys.argv[1])
    made = {"lr": xlearn.create_linear, "fm": xlearn.create_fm, "ffm": xlearn.create_ffm}[asked["model"]]()
    made.setTrain(asked["train"])
    if asked["validation"]:
        made.setValidate(asked["validation"])
    else:
        made.disableEarlyStop()
        made.setQuiet()  # so that no epoch is spent on losses
    settings = {
        "task": "binary", "lr": asked["rate"], "lambda": asked["l2"], "k": asked["k"], "epoch": asked["epochs"],
        "nthread": asked["threads"], "metric": "auc", "stop_window": 2,
    }  # fmt: skip
    model = str(Path(asked["folder"]) / "xlearn.model")
    began, processor = time.perf_counter(), time.process_time()
    made.fit(settings, model)
    told = {"seconds": time.perf_counter() - began, "processor_seconds": time.process_time() - processor}
    if asked["test"]:
        told["probabilities"] = str(Path(asked["folder"]) / "xlearn.out")
        made.setTest(asked["test"])
        made.setSigmoid()
        made.predict(model, told["probabilities"])
    print(json.dumps(told), flush=True)
    os._exit(0)  # its destructors sometimes crash


main()
