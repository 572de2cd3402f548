"""Charts as labelled pictures: the same bytes from a file as drawn, and no byte of a damaged file."""

import pickle

import numpy as np
import pytest

from common import InputError
from features.images import chart_pictures
from features.images.chart_drawing import ChartStyle, draw_charts
from features.images.chart_pictures import ChartPictures
from market import Candles, simulate

CANDLES = simulate("bitcoin", bars=300, seed=4)
ENDS = np.arange(40, 300, 3)
LABELS = ENDS % 2
STYLE = ChartStyle(5)


def pictures(cache=None, candles: Candles = CANDLES, style: ChartStyle = STYLE) -> ChartPictures:
    return ChartPictures(candles, ENDS, LABELS, style, cache=cache)


def files(cache):
    return sorted(path.name for path in (cache / "images").iterdir())


def test_with_a_cache_or_without_they_are_the_charts_that_end_at_these_bars(tmp_path):
    numbers = np.array([80, 0, 0, 7])
    for data in (pictures(), pictures(tmp_path)):
        assert (len(data), data.shape, data.classes, data.is_chart) == (87, (1, 32, 15), ("no rise", "rise"), True)
        assert data.labels.tolist() == LABELS.tolist()
        read = data.read(numbers)
        assert (read.shape, read.dtype) == ((4, 1, 32, 15), np.uint8)
        assert read.tobytes() == draw_charts(CANDLES, ENDS[numbers], STYLE).tobytes()
        read[:] = 9  # a copy
        assert data.read(numbers).max() == 255
    assert pictures().sha256 == pictures(tmp_path).sha256


def test_they_are_drawn_once_for_all_that_use_the_same_candles(tmp_path, monkeypatch):
    pictures(tmp_path)
    monkeypatch.setattr(chart_pictures, "draw_charts", lambda *given: pytest.fail("drawn once more"))
    other = ChartPictures(CANDLES, np.array([7]), np.array([0]), STYLE, cache=tmp_path)
    assert other.read(np.array([0])).tobytes() == draw_charts(CANDLES, np.array([7]), STYLE).tobytes()
    assert len(files(tmp_path)) == 1


def test_other_candles_styles_and_versions_have_files_of_their_own(tmp_path, monkeypatch):
    pictures(tmp_path)
    pictures(tmp_path, CANDLES[:299])
    for style in (ChartStyle(20), ChartStyle(5, average=False), ChartStyle(5, volume=False)):
        pictures(tmp_path, style=style)
    monkeypatch.setattr(chart_pictures, "VERSION", 2)
    pictures(tmp_path)
    assert len(files(tmp_path)) == 6


def test_the_hash_tells_apart_what_differs():
    data = [
        pictures(), pictures(candles=CANDLES[:299]), pictures(style=ChartStyle(20)),
        ChartPictures(CANDLES, ENDS + 1, LABELS, STYLE), ChartPictures(CANDLES, ENDS, 1 - LABELS, STYLE),
        ChartPictures(CANDLES, ENDS, LABELS, STYLE, ("fall", "rise")),
    ]  # fmt: skip
    assert len({one.sha256 for one in data}) == len(data)


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty", "checksum"])
def test_a_damaged_file_is_drawn_once_more(damage, tmp_path):
    pictures(tmp_path)
    (path,) = (tmp_path / "images").iterdir()
    whole = path.read_bytes()
    flipped = whole[:5_000] + bytes([255 - whole[5_000]]) + whole[5_001:]
    damaged = {
        "flipped": flipped, "cut": whole[:-700], "longer": whole + b"\0", "empty": b"", "checksum": whole[:-4] + b"\0\0\0\0",
    }  # fmt: skip
    path.write_bytes(damaged[damage])
    assert pictures(tmp_path).read(np.arange(87)).tobytes() == draw_charts(CANDLES, ENDS, STYLE).tobytes()
    assert path.read_bytes() == whole


def test_a_file_that_is_not_finished_leaves_nothing(tmp_path, monkeypatch):
    draw, begun = draw_charts, []

    def killed(*given):
        begun.append(given)
        if len(begun) > 2:
            raise KeyboardInterrupt
        return draw(*given)

    monkeypatch.setattr(chart_pictures, "BLOCK_BYTES", 48_000)
    monkeypatch.setattr(chart_pictures, "draw_charts", killed)
    with pytest.raises(KeyboardInterrupt):
        pictures(tmp_path)
    assert files(tmp_path) == []


def test_the_size_of_a_block_changes_no_byte(tmp_path, monkeypatch):
    pictures(tmp_path / "one")
    monkeypatch.setattr(chart_pictures, "BLOCK_BYTES", 1_000)
    pictures(tmp_path / "two")
    (one,), (two,) = ((tmp_path / name / "images").iterdir() for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_file_is_mapped_and_not_read(tmp_path):
    charts = pictures(tmp_path)._charts
    assert charts is not None
    assert isinstance(charts.base, np.memmap)
    assert not charts.flags.writeable


def test_another_process_reads_the_same(tmp_path):
    for data in (pictures(), pictures(tmp_path)):
        sent = pickle.dumps(data)
        assert len(sent) < 100_000
        again = pickle.loads(sent)
        assert (again.sha256, again.labels.tolist()) == (data.sha256, data.labels.tolist())
        assert again.read(np.arange(87)).tobytes() == data.read(np.arange(87)).tobytes()


def test_labels_that_do_not_fit_are_refused_in_one_line():
    with pytest.raises(InputError, match="each chart needs a label, but there are 87 charts and 3 labels"):
        ChartPictures(CANDLES, ENDS, np.zeros(3, int), STYLE)
    with pytest.raises(InputError, match="labels are 0 to 1, but got 0 to 2"):
        ChartPictures(CANDLES, ENDS, np.arange(87) % 3, STYLE)
