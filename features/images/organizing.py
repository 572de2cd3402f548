"""Sorts a folder of pictures into train and validation, a folder for each class."""

import glob
import hashlib
import os
import shutil
import tempfile
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import InputError, one_line
from features.images.folder_listing import listed, natural_key, pictures_in, shown
from features.progress import OnProgress, begun

SIDES = ("train", "validation")


class Organized(NamedTuple):
    """What `organize_folder` made.

    Args:
        out: the new folder.
        counts: of each class the pictures in train and in validation.
        notes: what was left out or kept together, as sentences for people.
    """

    out: Path
    counts: dict[str, tuple[int, int]]
    notes: tuple[str, ...]


def organize_folder(
    folder: Path,
    out: Path,
    ratio: float = 0.2,
    links: bool = False,
    seed: int = 0,
) -> Organized:
    """Copy pictures to `OUT/train/CLASS` and `OUT/validation/CLASS`.

    Each class is split by itself, by a draw of its own. Files with the same bytes go to the same side: what is validated was not
    trained on. OUT appears whole, at the end.

    Args:
        folder: of files such as `cat.12.jpg`, whose class is what stands before the first dot, or of a folder for each class.
        out: the folder to make.
        ratio: share of validation, above 0 and below 1; each side gets at least one picture of each class.
        links: symbolic links instead of copies.
        seed: of the draws.

    Raises:
        InputError: `out` exists or lies within the folder, there are not two classes with two different pictures each, names
            clash, or a file cannot be read.
    """
    if not 0 < ratio < 1:
        raise InputError(
            f"the ratio is validation's share, above 0 and below 1, but got {ratio:g}; 0.2 keeps a fifth of each class"
        )
    if os.path.lexists(out):
        raise InputError(f"pictures go into a new folder, but {shown(out)} exists; choose another --out, or delete it")
    if folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise InputError(
            f"the new folder lies outside of the old one, but {shown(out)} is in {shown(folder)}; choose another --out"
        )
    classes, notes = _classes_of(folder)
    _require_room_for_names(classes, folder)
    with begun(f"organizing {shown(folder)}") as tell:
        digests = _digests(classes, tell)
        sides = {name: _split(name, paths, digests, ratio, seed, folder) for name, paths in classes.items()}
        out.parent.mkdir(parents=True, exist_ok=True)
        if left_behind := sorted(path.name for path in out.parent.glob(f".{glob.escape(out.name)}.*.part")):
            notes.append(
                f"an earlier organize was stopped; what it left in {shown(out.parent)} can be deleted: {listed(left_behind)}"
            )
        _fill(out, sides, links, digests, tell)
    counts = {name: (len(train), len(valid)) for name, (train, valid) in sides.items()}
    return Organized(out, counts, (*notes, *_twins(classes, digests)))


def _fill(
    out: Path, sides: dict[str, tuple[list[Path], list[Path]]], links: bool, digests: dict[str, str], tell: OnProgress
) -> None:
    """Make the folder under another name, and give it its own when it is whole."""
    temporary, done = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part")), 0
    try:
        for name, of_class in sides.items():
            for side, paths in zip(SIDES, of_class, strict=True):
                place = temporary / side / name
                place.mkdir(parents=True)
                for path in paths:
                    _put(path, place / path.name, links, digests[str(path)])
                    done += 1
                    tell("linked" if links else "copied", done, len(digests))
        os.chmod(temporary, 0o755)  # mkdtemp makes it private
        if os.path.lexists(out):
            raise InputError(f"pictures go into a new folder, but {shown(out)} was made meanwhile; choose another --out")
        os.rename(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _digests(classes: dict[str, list[Path]], tell: OnProgress) -> dict[str, str]:
    """sha256 of each file."""
    paths = [path for of_class in classes.values() for path in of_class]
    digests = {}
    for done, path in enumerate(paths, 1):
        digests[str(path)] = _sha256(path)
        tell("files looked at", done, len(paths))
    return digests


def _classes_of(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The files of each class, in natural order, and notes."""
    flat, within, notes = pictures_in(folder)
    named = {name: files for name, files in within.items() if files}
    if flat and named:
        raise InputError(
            f"pictures lie in {shown(folder)} itself or in a folder for each class, but it holds {shown(flat[0])} beside "
            f"the folder {shown(min(named, key=natural_key))}; move one of them away"
        )
    if empty := [name for name in within if name not in named]:
        notes.append(f"folders without pictures, which are no classes: {listed(empty)}")
    found = {name: [folder / name / file for file in files] for name, files in named.items()}
    for file in flat:
        found.setdefault(file.partition(".")[0], []).append(folder / file)
    classes = {name: sorted(found[name], key=lambda path: natural_key(path.name)) for name in sorted(found, key=natural_key)}
    rule = "the class of a file is what stands before the first dot of its name, as in cat.12.jpg"
    if len(classes) < 2:
        what = f"the class {shown(next(iter(classes)))} alone" if classes else "no pictures"
        raise InputError(
            f"a model tells two classes or more apart, but {shown(folder)} holds {what}; {rule}, or that of its folder"
        )
    for name, paths in classes.items():
        if len(paths) < 2:
            raise InputError(
                f"a class needs a picture in train and one in validation, but {shown(name)} of {shown(folder)} has "
                f"{shown(paths[0].name)} alone; {rule}, or that of its folder"
            )
    return classes, notes


def _split(
    name: str, paths: list[Path], digests: dict[str, str], ratio: float, seed: int, folder: Path
) -> tuple[list[Path], list[Path]]:
    """Train and validation of a class, in natural order; files with the same bytes stay together."""
    twins: dict[str, list[Path]] = {}
    for path in paths:
        twins.setdefault(digests[str(path)], []).append(path)
    if len(twins) < 2:
        raise InputError(
            f"a class needs a picture in train and another one in validation, but all {len(paths)} files of {shown(name)} in "
            f"{shown(folder)} have the same bytes; add others"
        )
    groups = list(twins.values())
    wanted = min(max(round(ratio * len(paths)), 1), len(paths) - 1)
    chosen: set[Path] = set()
    draw = np.random.default_rng([seed, *name.encode(errors="surrogateescape")])  # another class changes nothing for this one
    for number in draw.permutation(len(groups)).tolist():
        if len(chosen) + len(groups[number]) <= wanted:
            chosen.update(groups[number])
    if not chosen:  # every group is larger than what is wanted
        smallest = min(groups, key=len)
        chosen.update(smallest)
    return [path for path in paths if path not in chosen], [path for path in paths if path in chosen]


def _twins(classes: dict[str, list[Path]], digests: dict[str, str]) -> list[str]:
    """What is to be said of files with the same bytes."""
    seen: dict[str, tuple[str, Path]] = {}
    same: list[str] = []
    other: list[str] = []
    for name, paths in classes.items():
        for path in paths:
            first_class, first = seen.setdefault(digests[str(path)], (name, path))
            if first != path:
                (same if first_class == name else other).append(f"{first.name} = {path.name}")
    notes = [f"files with the bytes of another one, beside which they stay: {len(same):,} ({listed(same)})"] if same else []
    notes += (
        [f"files with the bytes of one of another class, so one of the two is wrong: {len(other):,} ({listed(other)})"]
        if other
        else []
    )
    return notes


def _require_room_for_names(classes: dict[str, list[Path]], folder: Path) -> None:
    """Some file systems hold names for equal that differ in the case of letters or in how accents are written."""
    for kind, names in [("classes", [*classes]), *(("files", [path.name for path in paths]) for paths in classes.values())]:
        seen: dict[str, str] = {}
        for name in names:
            if (other := seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)) != name:
                raise InputError(
                    f"{kind} need names that every file system tells apart, but {shown(folder)} has {shown(other)} and "
                    f"{shown(name)}; rename one"
                )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be read ({error.strerror}); mend it or move it away") from None


def _put(path: Path, target: Path, links: bool, sha256: str) -> None:
    try:
        if links:
            os.symlink(path.resolve(), target)
        else:
            shutil.copyfile(path, target)
            if _sha256(target) != sha256:
                raise InputError(f"{shown(path)} has changed while it was copied; run organize again")
    except OSError as error:
        raise InputError(
            f"{shown(path)} cannot be put into the new folder ({one_line(error)}); make room and run organize again"
        ) from None
