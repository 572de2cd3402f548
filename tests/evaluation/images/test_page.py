"""The page on which a model is tried: what it answers, what it shows in a browser, and that it shows nothing else."""

import base64
import gzip
import http.client
import io
import json
import re
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from browser import CHROMIUM, Browser
from picture_folders import picture, save
from PIL import Image
from rich.console import Console
from tried_runs import CANDLES, CHARTS, CLASSES, SIDE, chart_run, picture_run

from common import InputError, RunError
from evaluation.images import page, serve_page
from evaluation.images.local_server import LocalServer, guarded
from evaluation.images.page import page_app
from evaluation.images.tried_models import OfPictures, TriedModel, model_to_try
from features.forecasters import FittedForecaster, fit_forecaster
from features.images import FittedPictures, PicturesInMemory, draw_charts, grad_cam
from market import Candles, resample, write_candles

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed, so no page can be opened")


@contextmanager
def served(model: TriedModel, run: str = "run") -> Iterator[int]:
    """The port on which the page of the model is."""
    server = LocalServer(0)
    server.set_app(guarded(page_app(model, run), server.server_port))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folder of a run of each kind."""
    folder = tmp_path_factory.mktemp("runs")
    return {"pictures": picture_run(folder / "pictures"), "candles": chart_run(folder / "candles")}


@pytest.fixture(scope="module")
def pictures(runs):
    with served(model_to_try(runs["pictures"])) as port:
        yield port


@pytest.fixture(scope="module")
def candles(runs):
    with served(model_to_try(runs["candles"])) as port:
        yield port


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def request(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, body)
    answer = connection.getresponse()
    told = answer.status, {name.title(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return told


def look(port: int, content: bytes, **given: Any) -> dict[str, Any]:
    """What is answered; a refused file gives {"error": ...}."""
    status, headers, body = request(port, "POST", f"/look?{urlencode(given)}", content)
    told = json.loads(body)
    assert headers["Content-Type"] == "application/json"
    assert (status == 400) == (list(told) == ["error"]), (status, told)
    assert status in (200, 400)
    assert "\n" not in told.get("error", "")
    return told


def unpacked(address: str) -> np.ndarray:
    head, _, content = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def csv_of(candles: Candles, folder: Path) -> bytes:
    write_candles(candles, folder / "candles.csv")
    return (folder / "candles.csv").read_bytes()


def test_a_picture_is_answered_with_what_the_network_sees_says_and_looks_at(pictures, runs):
    fitted = FittedPictures.load(runs["pictures"] / "model.safetensors")
    pixels = picture(900, True, SIDE)
    told = look(pictures, png(pixels))
    seen = pixels.transpose(2, 0, 1)
    expected = fitted.predict(PicturesInMemory(seen[None], np.zeros(1, np.int64), CLASSES))[0]
    assert told["probabilities"] == expected.tolist()
    assert told["label"] == expected.argmax() == 1
    assert told["headline"] == f"bright right, {expected[1]:.1%}"
    assert unpacked(told["picture"]).tobytes() == pixels.tobytes()
    for label in (0, 1):
        answer, map_of_it = look(pictures, png(pixels), label=label), grad_cam(fitted, seen, label)
        assert answer["label"] == label
        assert answer["silent"] == (not map_of_it.any())
        assert unpacked(answer["heat"]).tobytes() == page.HEAT(map_of_it, bytes=True).tobytes()
        assert answer["probabilities"] == told["probabilities"]


def test_a_picture_of_another_size_is_brought_to_that_of_the_network(pictures):
    large = look(pictures, png(np.full((100, 60), 200, np.uint8)))
    assert unpacked(large["picture"]).shape == (SIDE, SIDE, 3)


def bomb(columns: int, rows: int) -> bytes:
    """A PNG of a few bytes whose pixels fill gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"<script>alert(1)</script>", "it is none of JPEG"),
        (png(picture(1, side=SIDE))[:-400], ""),
        (bomb(60_000, 60_000), "more pixels than are read"),
        (bomb(10_000, 10_000), "`max_pixels`"),
    ],
)
def test_what_is_no_picture_is_told_in_one_line(pictures, content, words):
    assert words in look(pictures, content)["error"]


def test_a_choice_that_there_is_not_is_told(pictures):
    for label in ("2", "-1", "one", "9" * 400, "1\u0661"):
        assert "classes are 0 to 1" in look(pictures, png(picture(1, side=SIDE)), label=label)["error"]


def test_a_chart_ends_at_the_last_bar_that_had_closed_and_no_later_one_is_looked_at(candles, runs, tmp_path):
    forecaster = FittedForecaster.load(runs["candles"] / "forecaster.safetensors")
    told = forecaster.probability(CANDLES)
    content = csv_of(CANDLES, tmp_path)
    assert told is not None
    for number in (8, 100, 310, 499):
        closed = CANDLES.ends[number]
        for by in (closed, closed + pd.Timedelta(minutes=59)):
            cut = csv_of(CANDLES[: number + 1], tmp_path)
            for file in (content, cut):
                answer = look(candles, file, date=f"{by:%Y-%m-%d}", time=f"{by:%H:%M}")
                assert answer["bar"]["closed"] == f"{closed:%Y-%m-%dT%H:%M:%S}"
                assert answer["probabilities"][1] == told[number]
                assert answer["headline"] == f"Probability of a rise: {told[number]:.1%}"
                chart = draw_charts(CANDLES, np.array([number]), CHARTS.charts.style)[0]
                assert unpacked(answer["picture"]).tobytes() == chart.tobytes()
        facts = dict(answer["facts"])
        assert facts["Last bar"] == f"{CANDLES.index[number]:%Y-%m-%d %H:%M} to {closed:%Y-%m-%d %H:%M} UTC"


def test_a_date_alone_is_its_end_and_no_date_is_the_last_bar(candles, tmp_path):
    content = csv_of(CANDLES, tmp_path)
    last = look(candles, content)["bar"]
    assert last["closed"] == last["last"] == f"{CANDLES.ends[-1]:%Y-%m-%dT%H:%M:%S}"
    assert last["after"] == ""
    bar = look(candles, content, date="2017-01-05")["bar"]
    assert (bar["before"], bar["closed"], bar["after"]) == ("2017-01-05T23:00:00", "2017-01-06T00:00:00", "2017-01-06T01:00:00")
    assert look(candles, content, date="2030-01-01")["bar"] == last


def test_a_file_with_a_gap_is_refused_until_it_is_to_be_mended(candles, tmp_path):
    lines = csv_of(CANDLES, tmp_path).splitlines(keepends=True)
    gap = b"".join([*lines[:300], *lines[301:]])
    error = look(candles, gap)["error"]
    assert "the file" in error
    assert "mend it with `repair`" in error
    assert "/tmp" not in error
    assert str(tmp_path) not in error
    closed = CANDLES.ends[301]
    for moment, beware in ((closed, True), (CANDLES.ends[480], False)):
        mended = look(candles, gap, repair="true", date=f"{moment:%Y-%m-%d}", time=f"{moment:%H:%M}")
        facts = dict(mended["facts"])
        assert facts["The file"].startswith("500 bars")
        assert ("Beware" in facts) == beware


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"date": "yesterday"}, "a date is like 2024-05-17"),
        ({"date": "2017-01-05", "time": "25:00"}, "a time like 13:00"),
        ({"date": "2017-01-05", "time": "12:00+02:00"}, "names no zone"),
        ({"date": "9999-12-31"}, "a date is like"),
        ({"time": "12:00"}, "a time needs its date"),
        ({"date": "2016-12-31"}, "by 2017-01-01 00:00 UTC no bar had closed: the first one did at 2017-01-01 01:00"),
        ({"date": "2017-01-01", "time": "03:00"}, "the first chart is that of 2017-01-01 09:00"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"times": "midnight"}, "times"),
        ({"max_fill": "-3", "repair": "true"}, "max_fill"),
        ({"label": "2"}, "classes are 0 to 1"),
    ],
)
def test_a_wrong_choice_is_told_in_one_line(candles, tmp_path, given, words):
    assert words in look(candles, csv_of(CANDLES[:100], tmp_path), **given)["error"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file"),
        (b"a,b\n1,2\n", "the file"),
        (gzip.compress(bytes(100_000)), "a candle file is text"),
        (b"PAR1\0\0", "a candle file is text"),
    ],
)
def test_what_is_no_candle_file_is_told_in_one_line(candles, content, words):
    assert words in look(candles, content)["error"]


def test_candles_without_volumes_are_refused_by_a_model_that_sees_them(candles, tmp_path):
    frame = CANDLES.frame.assign(volume=0.0, quote_volume=0.0)
    bare = Candles(frame, CANDLES.bar, CANDLES.symbol, CANDLES.source)
    assert "has no volumes" in look(candles, csv_of(bare, tmp_path))["error"]


def test_files_may_be_as_large_as_is_said(pictures, candles):
    for port, most in ((pictures, 20), (candles, 64)):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.putrequest("POST", "/look")
        connection.putheader("Content-Length", str((most << 20) + 1))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert f"{most} MiB" in json.loads(answer.read())["error"]
        connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/model.safetensors", "/config.yaml", "/../config.yaml", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd", "/static/page.html", "/page.html", "/look/../model.safetensors", "/favicon.ico", "/\\..\\config.yaml",
        "/%00", "/.",
    ],
)  # fmt: skip
def test_there_is_nothing_but_the_page(pictures, path):
    status, _, body = request(pictures, "GET", path)
    assert (status, json.loads(body)) == (404, {"error": "there is no such page; `/` is the only one"})


def test_a_path_is_asked_in_its_own_way_alone(pictures):
    for method, path in (("GET", "/look"), ("POST", "/"), ("DELETE", "/"), ("PUT", "/look")):
        assert request(pictures, method, path, b"")[0] == 405


def test_the_page_may_run_its_own_script_and_ask_its_own_server_and_nothing_else(pictures):
    status, headers, body = request(pictures, "GET", "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["img-src"] == "data:"
    assert policy["connect-src"] == "'self'"
    assert re.fullmatch("'sha256-[\\w+/=]+'", policy["script-src"])
    assert re.fullmatch("'sha256-[\\w+/=]+'", policy["style-src"])
    text = body.decode()
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write|eval\(| on\w+=\"| style=\"", text)


def test_the_page_names_the_run_and_its_classes_as_text(runs):
    with served(model_to_try(runs["pictures"]), "</script><b>run\x1b[2J") as port:
        text = request(port, "GET", "/")[2].decode()
    assert text.count("<b>") == 0
    assert text.count("</script>") == 2
    assert "\x1b" not in text


def test_one_request_at_a_time_uses_the_model():
    class Busy(OfPictures):
        def __init__(self):
            self.name, self.classes, self.about, self.inside, self.most = "busy", CLASSES, "", 0, 0
            self.shape = PicturesInMemory(np.zeros((1, 1, 8, 8), np.uint8), np.zeros(1, np.int64), CLASSES).shape

        def look(self, content, given):
            self.inside += 1
            self.most = max(self.most, self.inside)
            threading.Event().wait(0.02)
            self.inside -= 1
            raise InputError("looked")

    model = Busy()
    with served(model) as port:
        threads = [threading.Thread(target=look, args=(port, b"x")) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (model.most, model.inside) == (1, 0)


def test_ctrl_c_ends_it_with_one_line(runs, monkeypatch, capsys):
    def stop(server):
        raise KeyboardInterrupt

    monkeypatch.setattr(LocalServer, "serve_forever", stop)
    serve_page(runs["pictures"], 0, Console(width=200, highlight=False))
    first, last = capsys.readouterr().out.splitlines()
    assert re.match(r"open http://127\.0\.0\.1:\d+ in a browser of this computer to try small_cnn of ", first)
    assert last == "ended"


def test_a_run_of_another_model_is_refused(tmp_path):
    fit_forecaster("last_value", CANDLES[:250], CANDLES[250:400], CHARTS).save(tmp_path / "forecaster.safetensors")
    with pytest.raises(RunError, match=r"holds last_value; name a run of `forecast.py images train`"):
        model_to_try(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        model_to_try(tmp_path / "nowhere")


LOOKED = """new Promise((done, fail) => {
  const at = id => document.getElementById(id), ends = Date.now() + 20000;
  const wait = () => {
    if (!at("error").hidden) done("error: " + at("error").textContent);
    else if (!at("result").hidden && at("result").getAttribute("aria-busy") === "false" && at("heat").complete
             && at("heat").naturalWidth && at("picture").complete) done(at("headline").textContent);
    else if (Date.now() > ends) fail(new Error("nothing came: " + at("told").textContent));
    else setTimeout(wait, 10);
  };
  setTimeout(wait, 10);
})"""
DROP = """(() => {
  const bytes = Uint8Array.from(atob("%s"), letter => letter.charCodeAt(0)), carried = new DataTransfer();
  carried.items.add(new File([bytes], %s, { type: "%s" }));
  const dropped = { bubbles: true, cancelable: true, dataTransfer: carried };
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", dropped));
})()"""


def drop(browser: Browser, content: bytes, name: str, kind: str = "image/png") -> str:
    browser.run(DROP % (base64.b64encode(content).decode(), json.dumps(name), kind))
    return browser.run(LOOKED)


def rows(browser: Browser) -> list[list[str]]:
    """Name, probability and whether its map is shown, of each class."""
    return browser.run(
        "[...document.querySelectorAll('#classes button')].map(button => [button.querySelector('span').textContent, "
        "button.querySelector('b').textContent, button.getAttribute('aria-pressed')])"
    )


def pixels_of(browser: Browser, image: str) -> list[int]:
    """RGBA of each pixel of an image of the page."""
    return browser.run(
        f"(() => {{ const image = document.getElementById('{image}'), canvas = document.createElement('canvas'); "
        "canvas.width = image.naturalWidth; canvas.height = image.naturalHeight; const context = canvas.getContext('2d'); "
        "context.drawImage(image, 0, 0); return [...context.getImageData(0, 0, canvas.width, canvas.height).data]; })()"
    )


@in_chromium
def test_a_person_drops_a_picture_and_sees_what_the_network_says_and_looked_at(browser, pictures, tmp_path):
    pixels = picture(901, True, SIDE)
    content = save(tmp_path / "p.png", pixels).read_bytes()
    told = look(pictures, content)
    browser.open(f"http://127.0.0.1:{pictures}/")
    name = "<img src=x onerror=alert(1)>.png"
    assert drop(browser, content, name) == told["headline"]
    assert browser.run("document.getElementById('told').textContent") == name
    first, second = told["probabilities"]
    assert rows(browser) == [["bright right", f"{second:.1%}", "true"], [CLASSES[0], f"{first:.1%}", "false"]]
    shown = np.array(pixels_of(browser, "picture")).reshape(SIDE, SIDE, 4)
    assert shown[:, :, :3].tolist() == pixels.tolist()
    assert browser.run("getComputedStyle(document.getElementById('picture')).imageRendering") == "pixelated"
    assert browser.run("document.getElementById('picture').clientWidth") >= 400
    same_place = "['picture', 'heat'].map(id => JSON.stringify(document.getElementById(id).getBoundingClientRect()))"
    picture_place, heat_place = browser.run(same_place)
    assert picture_place == heat_place
    assert any(pixels_of(browser, "heat")[3::4])

    browser.run("(() => { const s = document.getElementById('strength'); s.value = 20; s.dispatchEvent(new Event('input')); })()")
    assert browser.run("getComputedStyle(document.getElementById('heat')).opacity") == "0.2"
    browser.run("document.querySelectorAll('#classes button')[1].click()")
    browser.run(LOOKED)
    assert [row[2] for row in rows(browser)] == ["false", "true"]
    assert browser.run("document.getElementById('heat').alt") == f"Map of what speaks for {CLASSES[0]}"
    assert browser.run("document.activeElement.dataset.label") in ("0", None)

    assert drop(browser, b"no picture", "x.png").startswith("error: it is none of JPEG")
    assert browser.run("document.getElementById('result').hidden")
    own = f"http://127.0.0.1:{pictures}/"
    assert all(address.startswith((own, "data:")) for address in browser.requests)
    assert [error for error in browser.errors if "400 (Bad Request)" not in error] == []


@in_chromium
def test_a_person_drops_candles_and_goes_from_bar_to_bar(browser, candles, tmp_path):
    content = csv_of(CANDLES, tmp_path)
    browser.open(f"http://127.0.0.1:{candles}/", 390)
    assert drop(browser, content, "candles.csv", "text/csv") == look(candles, content)["headline"]
    chosen = "['date', 'time'].map(id => document.getElementById(id).value)"
    assert browser.run(chosen) == [f"{CANDLES.ends[-1]:%Y-%m-%d}", f"{CANDLES.ends[-1]:%H:%M}"]
    assert browser.run("document.getElementById('after').disabled")
    browser.run("document.getElementById('before').click()")
    told = look(candles, content, date=f"{CANDLES.ends[-2]:%Y-%m-%d}", time=f"{CANDLES.ends[-2]:%H:%M}")
    assert browser.run(LOOKED) == told["headline"]
    browser.run(
        "(() => { document.getElementById('date').value = '2017-01-05'; document.getElementById('time').value = ''; "
        "document.getElementById('date').dispatchEvent(new Event('change', { bubbles: true })); })()"
    )
    told = look(candles, content, date="2017-01-05")
    assert browser.run(LOOKED) == told["headline"]
    assert browser.run("document.querySelector('#facts dd').textContent") == dict(told["facts"])["Last bar"]
    assert browser.run("document.documentElement.scrollWidth") == 390

    days = csv_of(resample(CANDLES, pd.Timedelta(days=1)), tmp_path)
    assert drop(browser, days, "days.csv", "text/csv") == look(candles, days)["headline"]
    assert browser.run("document.getElementById('time-label').hidden")
    browser.run("document.getElementById('before').click()")
    told = look(candles, days, date="2017-01-19")
    assert told["bar"]["closed"] == "2017-01-20T00:00:00"
    assert browser.run(LOOKED) == told["headline"]
    assert browser.run(chosen) == ["2017-01-19", ""]
    assert browser.errors == []
