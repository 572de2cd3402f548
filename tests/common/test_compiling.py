"""Compiled functions where numba finds no folder that it may write to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba import njit, vectorize

from common import cached, compiling

ROOT = Path(__file__).parents[2]
NOWHERE = """
from numba.core import caching
caching.CacheImpl._locator_classes[:] = []
"""
"""As where the installation and the home folder are read-only: none of numba's places can be had."""


@pytest.mark.slow
def test_every_room_works_and_says_once_that_nothing_is_kept(tmp_path):
    code = (
        NOWHERE
        + """
import numpy as np
from envs import BitcoinTradingEnv
from evaluation import metrics
from evaluation.oracles import best_policy
from features import FeaturePipeline
from market import simulate

candles = simulate("bitcoin", bars=30, seed=0)
env = BitcoinTradingEnv(candles, np.zeros((30, 1), np.float32))
env.reset(seed=0)
print(env.step(8)[1])
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "0.0"
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith("note: compiled code cannot be kept")


def test_a_function_is_cached_where_that_is_possible_and_only_this_error_is_caught(monkeypatch, capsys):
    def double(x: float) -> float:
        return 2 * x

    assert cached(njit, error_model="numpy")(double)(2.0) == 4.0
    assert cached(vectorize, ["float64(float64)"])(double)(3.0) == 6.0
    assert capsys.readouterr().err == ""

    def broken(cache: bool = False):
        raise RuntimeError("no LLVM")

    with pytest.raises(RuntimeError, match="no LLVM"):
        cached(broken)(double)

    def without_a_place(cache: bool = False):
        if cache:
            raise RuntimeError("cannot cache function 'double': no locator available for file 'x.py'")
        return lambda function: function

    compiling._say_so.cache_clear()
    assert cached(without_a_place)(double) is double
    assert cached(without_a_place)(double) is double
    assert len(capsys.readouterr().err.splitlines()) == 1
