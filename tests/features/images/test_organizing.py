"""A folder of pictures becomes train and validation, whole or not at all, and the old folder stays as it was."""

import os
import shutil

import pytest
from picture_folders import picture, save, write_classes, write_flat

from common import InputError
from features.images import organizing
from features.images.organizing import organize_folder


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_flat_files_go_by_what_stands_before_the_first_dot(tmp_path):
    before = tree(write_flat(tmp_path / "all", each=10))
    made = organize_folder(tmp_path / "all", tmp_path / "out", ratio=0.2)
    assert made.counts == {"cat": (8, 2), "dog": (8, 2)}
    assert tree(tmp_path / "all") == before
    after = tree(tmp_path / "out")
    assert {name.split("/")[2]: content for name, content in after.items()} == before
    assert {name.rsplit("/", 1)[0] for name in after} == {f"{s}/{c}" for s in ("train", "validation") for c in ("cat", "dog")}
    assert all(name.split("/")[1] == name.split("/")[2].split(".")[0] for name in after)


def test_class_folders_keep_their_names(tmp_path):
    write_classes(tmp_path / "all", each=5, classes=("red fox", "-owl", "ünï"))
    assert organize_folder(tmp_path / "all", tmp_path / "out", ratio=0.4).counts == dict.fromkeys(
        ("-owl", "red fox", "ünï"), (3, 2)
    )


def test_the_seed_decides_and_another_class_changes_nothing(tmp_path):
    write_flat(tmp_path / "all", each=12)
    first, again, other = (
        tree(organize_folder(tmp_path / "all", tmp_path / f"o{n}", seed=s).out) for n, s in enumerate((0, 0, 1))
    )
    assert first == again != other
    for number in range(5):
        save(tmp_path / "all" / f"bird.{number}.png", picture(5_000 + number))
    more = tree(organize_folder(tmp_path / "all", tmp_path / "more").out)
    assert {name: content for name, content in more.items() if "bird" not in name} == first


def test_links_lead_to_the_old_files(tmp_path, monkeypatch):
    write_flat(tmp_path / "all", each=4)
    monkeypatch.chdir(tmp_path)
    organize_folder(tmp_path.joinpath("all").relative_to(tmp_path), tmp_path / "out", links=True)
    links = list((tmp_path / "out").rglob("*.png"))
    assert len(links) == 8
    assert all(path.is_symlink() and path.resolve().parent == (tmp_path / "all").resolve() for path in links)


def test_files_with_the_same_bytes_stay_together(tmp_path):
    write_flat(tmp_path / "all", each=8)
    for number in range(4):
        shutil.copy(tmp_path / "all" / "cat.0.png", tmp_path / "all" / f"cat.copy{number}.png")
    for seed in range(8):
        made = organize_folder(tmp_path / "all", tmp_path / f"out{seed}", ratio=0.4, seed=seed)
        train, valid = ({path.read_bytes() for path in (made.out / side / "cat").iterdir()} for side in ("train", "validation"))
        assert not train & valid
    assert "files with the bytes of another one, beside which they stay: 4 (" in made.notes[0]


def test_the_same_bytes_in_two_classes_are_told(tmp_path):
    write_flat(tmp_path / "all", each=4)
    shutil.copy(tmp_path / "all" / "cat.0.png", tmp_path / "all" / "dog.9.png")
    assert any("of another class" in note for note in organize_folder(tmp_path / "all", tmp_path / "out").notes)


def test_what_is_no_picture_is_named_and_left_out(tmp_path):
    write_flat(tmp_path / "all", each=3)
    (tmp_path / "all" / "readme.txt").write_text("x")
    (tmp_path / "all" / ".DS_Store").write_text("x")
    notes = organize_folder(tmp_path / "all", tmp_path / "out").notes
    assert any("left out, since their names are not those of pictures: 2 (.DS_Store, readme.txt)" in note for note in notes)


def test_one_that_is_stopped_leaves_no_folder_that_looks_whole(tmp_path, monkeypatch):
    write_flat(tmp_path / "all", each=4)

    def stopped(path, target, links, sha256):
        if path.name == "dog.0.png":
            raise KeyboardInterrupt
        shutil.copyfile(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(organizing, "_put", stopped)
        with pytest.raises(KeyboardInterrupt):
            organize_folder(tmp_path / "all", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["all"]
    (tmp_path / ".out.abc.part").mkdir()  # as after SIGKILL
    made = organize_folder(tmp_path / "all", tmp_path / "out")
    assert any(".out.abc.part" in note for note in made.notes)


def test_a_damaged_link_is_told(tmp_path):
    write_flat(tmp_path / "all", each=3)
    os.symlink(tmp_path / "nowhere.png", tmp_path / "all" / "cat.7.png")
    with pytest.raises(InputError, match=r"cat\.7\.png cannot be read"):
        organize_folder(tmp_path / "all", tmp_path / "out")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([], "holds no pictures"),
        (["cat.1.png", "cat.2.png"], "the class cat alone"),
        (["cat.1.png", "cat.2.png", "dog.1.png"], r"dog .* has dog\.1\.png alone"),
        (["img1.png", "img2.png"], r"img1 .* has img1\.png alone"),
        (["cat.1.png", "cat/a.png"], "move one of them away"),
        (["cat.1.png", "cat.2.png", "Cat.1.png", "Cat.2.png"], "every file system tells apart"),
        (["cat/a.png", "cat/A.png", "dog/a.png", "dog/b.png"], "every file system tells apart"),
    ],
)
def test_a_folder_that_cannot_be_split_is_refused(tmp_path, names, why):
    (tmp_path / "all").mkdir()
    for number, name in enumerate(names):
        save(tmp_path / "all" / name, picture(number))
    with pytest.raises(InputError, match=why):
        organize_folder(tmp_path / "all", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_places_and_shares_that_make_no_sense_are_refused(tmp_path):
    write_flat(tmp_path / "all", each=3)
    for ratio in (0, 1, -1, float("nan")):
        with pytest.raises(InputError, match="above 0 and below 1"):
            organize_folder(tmp_path / "all", tmp_path / "out", ratio)
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="exists"):
        organize_folder(tmp_path / "all", tmp_path / "there")
    with pytest.raises(InputError, match="lies outside"):
        organize_folder(tmp_path / "all", tmp_path / "all" / "out")
    with pytest.raises(InputError, match="does not exist"):
        organize_folder(tmp_path / "nowhere", tmp_path / "out")
    for number in range(3):
        save(tmp_path / "same" / f"{'ab'[number % 2]}.{number}.png", picture(0))
        save(tmp_path / "same" / f"{'ab'[number % 2]}.{number}x.png", picture(0))
    with pytest.raises(InputError, match="have the same bytes"):
        organize_folder(tmp_path / "same", tmp_path / "out")
