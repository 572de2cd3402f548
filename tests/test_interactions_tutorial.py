"""The tutorial of docs/interactions.md, as somebody who follows it runs it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scripts import run_well

PAGE = (Path(__file__).parents[1] / "docs" / "interactions.md").read_text()
TUTORIAL = PAGE.partition("## A tutorial")[2].partition("\n## ")[0]


@pytest.mark.slow
def test_the_tutorial_of_interactions_runs_and_says_what_it_promises(tmp_path):
    code, commands = re.findall(r"```(?:python)?\n(.*?)```", TUTORIAL, re.DOTALL)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    told = {}
    for line in commands.strip().splitlines():
        _, script, *arguments = shlex.split(line)
        told[arguments[1]] = run_well(tmp_path, script.removesuffix(".py"), *arguments).stdout
    assert "fm is better than lr (by 0." in told["compare"]
    assert "ffm is better than lr (by 0." in told["compare"]
    strongest = told["show"].partition("pairs of fields")[2].splitlines()[1]
    assert strongest.split()[-3:] in (["device", "and", "hour"], ["hour", "and", "device"])
    forecasts, labels = pd.read_csv(tmp_path / "forecasts.csv"), pd.read_csv(tmp_path / "test.csv")["label"]
    assert ((forecasts.iloc[:, -1] > 0.5) == (labels == 1)).mean() > 0.87
    assert (tmp_path / "test.libffm").read_text().count("\n") == 1_000
