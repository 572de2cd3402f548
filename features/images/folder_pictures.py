"""The pictures of a folder, decoded once: the same files with the same settings are found in the cache, wherever they lie."""

import fcntl
import functools
import hashlib
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from common import InputError, atomic_file, hash_of, write_json
from features.images.decoding_workers import decoded_files
from features.images.folder_listing import Labels, PictureListing, list_folder, listed, shown
from features.images.folder_settings import FolderSettings
from features.images.picture_file import PictureFile, write_picture_file
from features.images.pictures import PictureShape
from features.progress import OnProgress, begun

CACHE = Path("cache/images")
SETTLED_NS = 2_000_000_000
"""a file that was changed within this time before it was hashed may be changed again under the same time stamp"""
OF_THE_PIXELS = ("colors", "resize", "fit", "background", "max_pixels", "skip_damaged")
"""settings that decide, beside the size, what the cache holds"""


class FolderPictures:
    """`PictureData` of the files of a folder.

    Attributes:
        shape: (C, H, W) of a picture.
        classes: names; label i is classes[i]. None where labels were ignored.
        labels: int64 (N,); all 0 where labels were ignored.
        names: of the N files, below the folder, in natural order.
        ids: the names without their endings.
        sha256: of the pictures, the labels and the classes.
        notes: what was left out, as sentences for people.
    """

    is_chart = False

    def __init__(self, path: Path, listing: PictureListing) -> None:
        self._file = PictureFile(path)
        self.folder, self.classes = listing.folder, listing.classes
        kept = [listing.files[place] for place in self._file.about["kept"]]
        self.labels = np.array([file.label for file in kept], np.int64)
        self.names = tuple(file.name for file in kept)
        self.ids = tuple(file.id for file in kept)
        self.shape = PictureShape(*self._file.shape)
        self.content = tuple(self._file.about["content"])
        """sha256 of each file"""
        self.sha256 = hash_of([self._file.about["pixels_sha256"], self.labels.tolist(), list(self.classes), list(self.shape)])
        damaged = [f"{shown(listing.files[place].name)} ({why})" for place, why in self._file.about["damaged"]]
        self.notes = [*listing.notes]
        if damaged:
            total = len(kept) + len(damaged)
            self.notes.append(f"{len(damaged):,} of {total:,} pictures cannot be read, and are left out: {listed(damaged)}")

    def __len__(self) -> int:
        return len(self._file)

    def read(self, numbers: np.ndarray) -> np.ndarray:
        """uint8 (n, C, H, W) of the pictures with these numbers, int64 (n,)."""
        return self._file.read(numbers)


def prepare_folder(
    folder: Path,
    settings: FolderSettings,
    classes: tuple[str, ...] | None = None,
    labels: Labels = "needed",
    cache: Path = CACHE,
) -> FolderPictures:
    """Decode the pictures of a folder, or find them in the cache. Names, labels and the files' bytes decide, not their times.

    Args:
        folder: of class folders; with labels ignored of any pictures, see `list_folder`.
        settings: with both sides, see `FolderSettings.of_model`.
        classes: those of train; None takes them from the folder.
        labels: ignored for pictures that are only forecast.
        cache: where decoded pictures are kept.

    Raises:
        InputError: of `list_folder`; a file that cannot be read, unless `skip_damaged`; or no picture that can be.
    """
    folder, cache = Path(folder), Path(cache)
    listing = list_folder(folder, classes, labels)
    with begun(f"reading {shown(folder)}") as tell:
        digests = _remembered_sha256s(listing, cache, tell)
    of_files = [[file.name, file.label, digest] for file, digest in zip(listing.files, digests, strict=True)]
    decisive = {name: getattr(settings, name) for name in OF_THE_PIXELS}
    key = hash_of([of_files, list(listing.classes), list(settings.size), decisive, _code_version()])[:32]
    target = cache / f"{key}.pictures"
    try:
        return FolderPictures(target, listing)
    except InputError:  # not there yet, or damaged
        with _alone(target):
            try:
                return FolderPictures(target, listing)  # another process has written it meanwhile
            except InputError:
                with begun(f"reading {shown(folder)}") as tell:
                    _write(listing, digests, settings, target, tell)
    return FolderPictures(target, listing)


def _write(listing: PictureListing, digests: list[str], settings: FolderSettings, target: Path, tell: OnProgress) -> None:
    about: dict[str, list[Any]] = {"kept": [], "damaged": [], "content": []}
    paths = [str(listing.path(file)) for file in listing.files]
    height, width = settings.size

    def pictures() -> Iterator[np.ndarray]:
        for place, file in enumerate(decoded_files(paths, settings)):
            name = shown(paths[place])
            tell("pictures read", place + 1, len(paths))
            if isinstance(file, str):
                if not settings.skip_damaged:
                    raise InputError(
                        f"{name} cannot be read: {file}; mend it or move it away, or leave out such files by --skip_damaged"
                    )
                about["damaged"].append([place, file])
                continue
            if file.sha256 != digests[place]:
                raise InputError(f"{name} has changed while it was read; begin again")
            about["kept"].append(place)
            about["content"].append(file.sha256)
            yield file.pixels

    with _writable(target), atomic_file(target) as file:
        write_picture_file(file, pictures(), (settings.channels, height, width), about)
        if not about["kept"]:
            raise InputError(
                f"none of the {len(paths):,} pictures in {shown(listing.folder)} can be read: {about['damaged'][0][1]}"
            )


def _remembered_sha256s(listing: PictureListing, cache: Path, tell: OnProgress) -> list[str]:
    """sha256 of the bytes of each file, "" of one that cannot be read; remembered while size, identity and times stay."""
    note = cache / f"{hashlib.sha256(os.fsencode(listing.folder.resolve())).hexdigest()[:32]}.sources"
    kept = _read_note(note)
    states = [_state(listing.path(file)) for file in listing.files]
    began, found, fresh = time.time_ns(), list[str](), False
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:

        def digest_of(place: int) -> str:
            name, state = listing.files[place].name, states[place]
            if state is not None and name in kept and kept[name][0] == state:
                return kept[name][1]
            return _sha256(listing.path(listing.files[place]))

        for place, digest in enumerate(pool.map(digest_of, range(len(states))), 1):
            found.append(digest)
            tell("files looked at", place, len(states))
    for file, state, digest in zip(listing.files, states, found, strict=True):
        if state is not None and digest and began - max(state[2:]) > SETTLED_NS and kept.get(file.name) != (state, digest):
            kept[file.name], fresh = (state, digest), True
    if fresh:
        with _writable(note):
            write_json(note, {"files": {name: [*value] for name, value in kept.items()}})
    return found


def _read_note(note: Path) -> dict[str, tuple[list[int], str]]:
    try:
        return {name: (list(state), str(digest)) for name, (state, digest) in json.loads(note.read_bytes())["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _state(path: Path) -> list[int] | None:
    """Size, identity and times; None of a file that is not there."""
    try:
        about = path.stat()
    except OSError:
        return None
    return [about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@functools.cache
def _code_version() -> str:
    """Hash of what decides the pixels and how they are kept: what an older reader wrote is not found again."""
    digest = hashlib.sha256(version("pillow").encode())
    for name in ("decoding.py", "picture_file.py", "folder_pictures.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()


@contextmanager
def _writable(target: Path) -> Iterator[None]:
    """Turns an error of writing the cache into one line."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the cache {target.parent} cannot be written ({error.strerror or error}); make room, or run in a folder that can be"
        ) from None


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """One writer of a file at a time; what one that was killed has left is deleted."""
    with _writable(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(target.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left_behind in target.parent.glob(f".{target.name}.*"):
            left_behind.unlink(missing_ok=True)
        yield
    finally:
        os.close(lock)
