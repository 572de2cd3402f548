"""The picture files of a folder, in an order that no file system decides; what is no picture is named."""

import os
import re
from pathlib import Path
from typing import Literal, NamedTuple

from common import InputError, unknown

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
"""of files that count as pictures, in any case of letters"""
FEW_NAMES = 10
"""files that a note names; it counts them all"""
Labels = Literal["needed", "ignored"]


class FileOfClass(NamedTuple):
    """One file: its place below the folder, with `/` between folders, and the number of its class."""

    name: str
    label: int

    @property
    def id(self) -> str:
        """The name without its ending."""
        return os.path.splitext(self.name)[0]


class PictureListing(NamedTuple):
    """The pictures of a folder.

    Args:
        folder: where they lie.
        classes: names, by number.
        files: in natural order of their names: 9 before 10.
        notes: what was left out, as sentences for people.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[FileOfClass, ...]
    notes: tuple[str, ...]

    def path(self, file: FileOfClass) -> Path:
        """Where a file lies."""
        return self.folder / file.name


def list_folder(folder: Path, classes: tuple[str, ...] | None = None, labels: Labels = "needed") -> PictureListing:
    """The pictures of a folder of class folders, or with labels ignored of any folder, one level deep.

    Args:
        folder: holds a folder for each class; with labels ignored its pictures may also lie in itself.
        classes: those of train; None takes them from the folder, in natural order.
        labels: ignored gives every picture the label 0, for pictures that are only forecast.

    Raises:
        InputError: no such folder, no pictures, pictures beside class folders, or a class that train has not.
    """
    flat, within, notes = pictures_in(folder)
    if labels == "ignored":
        names = sorted([*flat, *(f"{name}/{file}" for name, files in within.items() for file in files)], key=natural_key)
        files = tuple(FileOfClass(name, 0) for name in names)
        _require_some(folder, files)
        _require_different_ids(folder, files)
        return PictureListing(folder, (), files, tuple(notes))
    if flat:
        raise InputError(
            f"pictures lie in a folder for each class, but {shown(folder)} itself holds {shown(flat[0])}; put it into one, or "
            f"run `python forecast.py images organize {shown(folder)}`"
        )
    empty = [name for name, files in within.items() if not files]
    if empty and classes is None:
        notes.append(f"folders without pictures, which are no classes: {listed(empty)}")
    found = tuple(name for name in sorted(within, key=natural_key) if within[name])
    known = found if classes is None else classes
    for name in found:
        if name not in known:
            raise InputError(
                f"{unknown('class', name, known)}, but {shown(folder)} has such a folder; the classes are those of train"
            )
    if missing := [name for name in known if name not in found]:
        notes.append(f"classes of train without a picture here: {listed(missing)}")
    files = tuple(
        FileOfClass(f"{name}/{file}", known.index(name)) for name in found for file in sorted(within[name], key=natural_key)
    )
    _require_some(folder, files)
    return PictureListing(folder, known, files, tuple(notes))


def pictures_in(folder: Path) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Names of the pictures in a folder itself, those in each folder in it, and notes on what is left out.

    Raises:
        InputError: no such folder, or one that cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"pictures lie in a folder, but {shown(folder)} {'is a file' if folder.exists() else 'does not exist'}")
    flat: list[str] = []
    others: list[str] = []
    deep: list[str] = []
    within: dict[str, list[str]] = {}
    for entry in _entries(folder):
        if entry.is_dir():
            if entry.name.startswith("."):
                others.append(entry.name)
                continue
            within[entry.name] = []
            for inner in _entries(Path(entry.path)):
                place = within[entry.name] if _is_picture(inner) else deep if inner.is_dir() else others
                place.append(inner.name if place is within[entry.name] else f"{entry.name}/{inner.name}")
        else:
            (flat if _is_picture(entry) else others).append(entry.name)
    notes = [f"left out, since their names are not those of pictures: {len(others):,} ({listed(others)})"] if others else []
    notes += [f"left out, since they are folders within folders: {len(deep):,} ({listed(deep)})"] if deep else []
    return sorted(flat, key=natural_key), within, notes


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts names as people do: by the numbers in them, and otherwise by their letters.

    >>> sorted(["cat.10", "cat.9", "a"], key=natural_key)
    ['a', 'cat.9', 'cat.10']
    """
    parts = re.split(r"([0-9]{1,30})", name)
    return [(0, int(part), "") if number % 2 else (1, 0, part) for number, part in enumerate(parts)], name


def shown(name: object) -> str:
    """A name as one line of a terminal can show it.

    >>> shown("two" + chr(10) + "lines")
    'two\\\\nlines'
    """
    text = str(name)
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(names: list[str], most: int = FEW_NAMES) -> str:
    """The first names, and how many more there are."""
    ordered = sorted(names, key=natural_key)
    more = f" and {len(ordered) - most:,} more" if len(ordered) > most else ""
    return ", ".join(shown(name) for name in ordered[:most]) + more


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"{shown(folder)} cannot be read ({error.strerror}); check the folder and its rights") from None


def _is_picture(entry: os.DirEntry[str]) -> bool:
    """By its name alone: what it holds is seen when it is decoded. A link counts as what it leads to, and one to nowhere, too."""
    kind = entry.is_file() or (entry.is_symlink() and not entry.is_dir() and not Path(entry.path).exists())
    return kind and not entry.name.startswith(".") and entry.name.lower().endswith(ENDINGS)


def _require_some(folder: Path, files: tuple[FileOfClass, ...]) -> None:
    if not files:
        raise InputError(f"{shown(folder)} holds no pictures; those that are read end in {', '.join(ENDINGS)}")


def _require_different_ids(folder: Path, files: tuple[FileOfClass, ...]) -> None:
    seen: dict[str, str] = {}
    for file in files:
        if (other := seen.setdefault(file.id, file.name)) != file.name:
            raise InputError(
                f"a picture is known by its name without the ending, but {shown(folder)} holds {shown(other)} and "
                f"{shown(file.name)}; rename one"
            )
