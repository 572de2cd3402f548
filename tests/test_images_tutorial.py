"""The tutorial of docs/images.md, as somebody who follows it runs it."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scripts import run_well

PAGE = (Path(__file__).parents[1] / "docs" / "images.md").read_text()
TUTORIAL = PAGE.partition("## A tutorial")[2].partition("\n## ")[0]


@pytest.mark.slow
def test_the_tutorial_of_images_runs_and_says_what_it_promises(tmp_path):
    code, commands = re.findall(r"```(?:python)?\n(.*?)```", TUTORIAL, re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    for line in commands.strip().splitlines():
        _, script, *arguments = shlex.split(line)
        run_well(tmp_path, script.removesuffix(".py"), *arguments)
    run = tmp_path / "runs" / "images-train-001"
    scores = json.loads((run / "scores.json").read_text())
    assert sum(map(sum, scores["confusion"])) == 150
    assert scores["accuracy"] > 0.9
    forecasts = pd.read_csv(tmp_path / "forecasts.csv")
    assert list(forecasts["id"]) == [f"{name}.{number}" for name in ("circle", "square") for number in range(300)]
    drawn = {path.name for path in (run / "figures").iterdir()}
    assert {"curves.png", "confusion.png", "grad-cam.png", "feature-maps.png"} <= drawn
