"""`forecast.py images serve` as a user runs it."""

import http.client
import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from picture_folders import picture, save
from scripts import run_script, start
from tried_runs import SIDE, picture_run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("user")
    picture_run(place / "runs" / "one", epochs=1)
    return place


def refused(place: Path, *arguments: str) -> str:
    """What a command tells that is refused: one line."""
    ran = run_script(place, "forecast", "images", "serve", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    return line


def test_wrong_input_is_one_line(place):
    assert "--port: it must be a port from 0 (any free one) to 65535" in refused(place, "runs/one", "--port", "65536")
    assert "runs/two is no run" in refused(place, "runs/two")
    assert "RUN" in refused(place).upper()


@pytest.mark.slow
def test_the_page_is_there_until_ctrl_c(place):
    process = start(place, "forecast", "images", "serve", "runs/one", "--port", "0")
    assert process.stdout
    assert process.stderr
    line = process.stdout.readline()
    port = re.search(r"http://127\.0\.0\.1:(\d+) ", line)
    assert port, line + process.stderr.read()
    connection = http.client.HTTPConnection("127.0.0.1", int(port[1]))
    connection.request("GET", "/")
    assert b"small_cnn of one" in connection.getresponse().read()
    connection.request("POST", "/look", save(place / "p.png", picture(1, True, SIDE)).read_bytes())
    assert np.isclose(sum(json.loads(connection.getresponse().read())["probabilities"]), 1)

    assert f"port {port[1]} of 127.0.0.1 (address already in use)" in refused(place, "runs/one", "--port", port[1])

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "ended\n", "")
