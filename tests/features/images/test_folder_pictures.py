"""The pictures of a folder: decoded once, in the order of their names, and written again when the cache is damaged."""

import os
import pickle
import random
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from picture_folders import picture, save, write_classes

from common import InputError
from features.images import decoding_workers, folder_pictures
from features.images.folder_listing import list_folder, natural_key, shown
from features.images.folder_pictures import prepare_folder
from features.images.folder_settings import FolderSettings
from features.images.picture_file import PictureFile, write_picture_file

ROOT = Path(__file__).parents[3]
SETTINGS = FolderSettings(height=12, width=12)
SKIP = SETTINGS.model_copy(update={"skip_damaged": True})


@pytest.fixture
def folder(tmp_path):
    return write_classes(tmp_path / "train", each=11)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def never(paths, settings):
    raise AssertionError("it was decoded once more")


def test_pictures_labels_and_names_belong_together(folder, cache):
    data = prepare_folder(folder, SETTINGS, cache=cache)
    assert tuple(data.shape) == (3, 12, 12)
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0] * 11 + [1] * 11
    assert data.labels.dtype == np.int64
    assert data.names[8:12] == ("cat/cat.8.png", "cat/cat.9.png", "cat/cat.10.png", "dog/dog.0.png")
    assert data.ids[10] == "cat/cat.10"
    assert len(data) == 22
    assert not data.is_chart
    got = data.read(np.array([21, 0, 21]))
    assert (got[1].transpose(1, 2, 0) == picture(0)).all()
    assert (got[0] == got[2]).all()
    assert (got[0].transpose(1, 2, 0) == picture(1_010, bright=True)).all()
    with pytest.raises(IndexError):
        data.read(np.array([22]))
    copy = pickle.loads(pickle.dumps(data))
    assert (copy.read(np.arange(22)) == data.read(np.arange(22))).all()


def test_the_order_is_not_that_of_the_file_system(folder, cache, monkeypatch):
    first = prepare_folder(folder, SETTINGS, cache=cache)
    entries = os.scandir

    class Shuffled:
        def __init__(self, path):
            with entries(path) as found:
                self.found = list(found)
            random.Random(3).shuffle(self.found)

        def __enter__(self):
            return self.found

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(os, "scandir", Shuffled)
    again = prepare_folder(folder, SETTINGS, cache=cache)
    assert (again.names, again.sha256) == (first.names, first.sha256)


def test_the_second_time_no_file_is_decoded(folder, cache, monkeypatch):
    first = prepare_folder(folder, SETTINGS, cache=cache)
    monkeypatch.setattr(folder_pictures, "decoded_files", never)
    for path in folder.rglob("*.png"):
        os.utime(path, (1, 1))  # the content decides, not the time
    assert prepare_folder(folder, SETTINGS, cache=cache).sha256 == first.sha256
    folder.rename(folder.with_name("moved"))
    assert prepare_folder(folder.with_name("moved"), SETTINGS, cache=cache).sha256 == first.sha256


def test_files_that_have_not_changed_are_not_read_to_learn_so(folder, cache, monkeypatch):
    monkeypatch.setattr(folder_pictures, "SETTLED_NS", 0)
    time.sleep(0.02)
    prepare_folder(folder, SETTINGS, cache=cache)
    monkeypatch.setattr(folder_pictures, "_sha256", lambda path: pytest.fail("it was read"))
    assert len(prepare_folder(folder, SETTINGS, cache=cache)) == 22


def test_a_changed_file_and_another_setting_are_decoded(folder, cache):
    first = prepare_folder(folder, SETTINGS, cache=cache)
    for change in ({"height": 10}, {"colors": "grey"}, {"resize": "box", "width": 9}, {"fit": "crop", "width": 8}):
        assert prepare_folder(folder, SETTINGS.model_copy(update=change), cache=cache).sha256 != first.sha256
    save(folder / "cat" / "cat.3.png", picture(77))
    second = prepare_folder(folder, SETTINGS, cache=cache)
    assert second.sha256 != first.sha256
    assert (second.read(np.array([3]))[0].transpose(1, 2, 0) == picture(77)).all()


def test_a_damaged_cache_is_made_again(folder, cache):
    first = prepare_folder(folder, SETTINGS, cache=cache)
    (path,) = cache.glob("*.pictures")
    content = path.read_bytes()
    for damaged in (content[:-1], content[:100], b"", content[:500] + b"\0\1\2" + content[503:], content[:20] + content[21:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged"):
            PictureFile(path)
        again = prepare_folder(folder, SETTINGS, cache=cache)
        assert (again.read(np.arange(22)) == first.read(np.arange(22))).all()
        assert path.read_bytes() == content


def test_one_that_is_stopped_leaves_nothing_for_a_cache(folder, cache, monkeypatch):
    def stopped(paths, settings):
        yield from list(decoding_workers.decoded_files(paths, settings))[:5]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder_pictures, "decoded_files", stopped)
        with pytest.raises(KeyboardInterrupt):
            prepare_folder(folder, SETTINGS, cache=cache)
    assert not list(cache.glob("*.pictures"))
    assert not list(cache.glob(".*.pictures*"))
    assert len(prepare_folder(folder, SETTINGS, cache=cache)) == 22


def test_what_a_killed_one_left_is_deleted(folder, cache):
    prepare_folder(folder, SETTINGS, cache=cache)
    (path,) = cache.glob("*.pictures")
    path.rename(left := path.with_name(f".{path.name}.abc"))
    prepare_folder(folder, SETTINGS, cache=cache)
    assert path.exists()
    assert not left.exists()


@pytest.mark.slow
def test_workers_give_the_same_bytes_and_name_the_first_damaged_file(folder, cache, tmp_path):
    alone = prepare_folder(folder, SETTINGS, cache=cache)
    many = prepare_folder(folder, SETTINGS.model_copy(update={"workers": 2}), cache=tmp_path / "other")
    assert many.sha256 == alone.sha256
    (folder / "dog" / "dog.2.png").write_bytes(b"x")
    (folder / "dog" / "dog.9.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"dog\.2\.png cannot be read"):
        prepare_folder(folder, SETTINGS.model_copy(update={"workers": 2}), cache=cache)


def test_a_damaged_file_is_named_and_left_out_only_when_asked(folder, cache):
    (folder / "cat" / "cat.4.png").write_bytes((folder / "cat" / "cat.4.png").read_bytes()[:150])
    (folder / "dog" / "dog.7.jpg").write_text("no picture")
    os.symlink(folder / "nowhere", folder / "dog" / "dog.8.jpg")
    with pytest.raises(InputError, match=r"cat\.4\.png cannot be read: .*truncated.*--skip_damaged"):
        prepare_folder(folder, SETTINGS, cache=cache)
    data = prepare_folder(folder, SKIP, cache=cache)
    assert len(data) == 21
    assert data.labels.tolist() == [0] * 10 + [1] * 11
    (note,) = data.notes
    assert note.startswith("3 of 24 pictures cannot be read, and are left out: cat/cat.4.png (")
    assert "dog/dog.8.jpg (it leads to a file that is not there)" in note
    assert prepare_folder(folder, SKIP, cache=cache).notes == [note]  # from the cache, too


def test_if_no_picture_can_be_read_that_is_told(tmp_path, cache):
    save(tmp_path / "train" / "a" / "1.png", picture(0)).write_bytes(b"")
    with pytest.raises(InputError, match=r"none of the 1 pictures in .* can be read: it is empty"):
        prepare_folder(tmp_path / "train", SKIP, cache=cache)
    assert not list(cache.glob("*.pictures"))


def test_the_classes_are_those_of_train(folder, cache, tmp_path):
    write_classes(tmp_path / "valid", each=2, classes=("dog",), first=50)
    data = prepare_folder(tmp_path / "valid", SETTINGS, ("cat", "dog"), cache=cache)
    assert (data.labels.tolist(), data.classes) == ([1, 1], ("cat", "dog"))
    assert data.notes == ["classes of train without a picture here: cat"]
    with pytest.raises(InputError, match="there is no class 'dog'"):
        prepare_folder(tmp_path / "valid", SETTINGS, ("cat", "dogs"), cache=cache)


def test_pictures_without_labels_lie_anywhere(tmp_path, cache):
    for name in ("10.jpg", "9.jpg", "inner/1.png", "-x.png"):
        save(tmp_path / "new" / name, picture(len(name)))
    data = prepare_folder(tmp_path / "new", SETTINGS, labels="ignored", cache=cache)
    assert sorted(data.ids, key=natural_key) == list(data.ids) == ["9", "10", "-x", "inner/1"]
    save(tmp_path / "new" / "9.png", picture(3))
    with pytest.raises(InputError, match=r"9\.jpg and 9\.png; rename one"):
        prepare_folder(tmp_path / "new", SETTINGS, labels="ignored", cache=cache)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda place: None, "does not exist"),
        (lambda place: place.write_text("x"), "is a file"),
        (lambda place: place.mkdir(), "holds no pictures"),
        (lambda place: save(place / "cat.1.png", picture(1)), "images organize"),
    ],
)
def test_a_folder_without_classes_is_refused(tmp_path, make, why):
    make(tmp_path / "train")
    with pytest.raises(InputError, match=why):
        list_folder(tmp_path / "train")


def test_odd_names_are_shown_in_one_line(tmp_path, cache):
    names = ("two\nlines.png", "\x1b[2J.png", "-rf.png", "ünï.png", os.fsdecode(b"\xff.png"))
    for number, name in enumerate(names):
        save(tmp_path / "train" / "a" / f"{number}.png", picture(number)).rename(tmp_path / "train" / "a" / name)
    save(tmp_path / "train" / "b" / "\x1b.png", picture(9)).write_bytes(b"x")
    data = prepare_folder(tmp_path / "train", SKIP, cache=cache)
    assert {name.removeprefix("a/") for name in data.names} == set(names)
    assert all(note.isprintable() for note in data.notes)
    with pytest.raises(InputError) as caught:
        prepare_folder(tmp_path / "train", SETTINGS, cache=cache)
    assert str(caught.value).isprintable()
    assert shown("a\nb") == "a\\nb"


def test_a_picture_file_larger_than_one_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr("features.images.picture_file.CHECKED_BYTES", 100)
    pictures = np.random.default_rng(0).integers(0, 256, (9, 1, 7, 9), dtype=np.uint8)
    with (tmp_path / "p").open("wb") as file:
        write_picture_file(file, iter(pictures), (1, 7, 9), {"mine": 1})
    read = PictureFile(tmp_path / "p")
    assert (read.read(np.arange(9)) == pictures).all()
    assert (read.about["mine"], len(read.about["checksums"])) == (1, 6)


@pytest.mark.slow
def test_workers_end_with_the_process_that_they_read_for(tmp_path):
    """SIGKILL of it alone, as by the kernel for want of memory."""
    for number in range(600):
        save(tmp_path / "train" / "ab"[number % 2] / f"{number}.png", picture(number, side=200))
    code = (
        "from pathlib import Path\nfrom features.images import FolderSettings, prepare_folder\n"
        "if __name__ == '__main__':\n"
        "    prepare_folder(Path('train'), FolderSettings(height=400, width=400, workers=2))"
    )
    (tmp_path / "read.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    begun = psutil.Popen([sys.executable, "read.py"], cwd=tmp_path, env=environment)
    workers: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while len(workers) < 2 and time.monotonic() < deadline:
        workers = [child for child in begun.children() if "spawn_main" in " ".join(child.cmdline())]
        time.sleep(0.01)
    time.sleep(0.5)
    begun.kill()
    begun.wait()
    gone, alive = psutil.wait_procs(workers, 20)
    for process in alive:
        process.kill()
    assert (len(gone), len(alive)) == (2, 0)
    assert not list((tmp_path / "cache" / "images").glob("*.pictures"))
