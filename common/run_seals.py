"""Seals the files of a run folder that say how it came about, so that an edit by hand is seen, with what it changed.

`seals.json` holds what each sealed file says, and a hash of that. Laying a file out differently changes nothing of what it says.
"""

import json
import time
from pathlib import Path
from typing import Any

import yaml

from common.atomic_files import json_text, write_atomically, write_json
from common.errors import RunError, one_line
from common.settings import differences, hash_of

SEALS = "seals.json"
MOST_DIFFERENCES = 5
"""named in one message"""
LOOKS = 3
"""at a file that differs from its seal, before that is an error: a running training may be replacing both"""


def write_and_seal(path: Path, text: str) -> None:
    """Replace a file of a run folder and its seal; after a kill at any moment the file that is there is sealed.

    Args:
        path: a YAML, JSON or text file; `seals.json` beside it holds its seal.
        text: its whole content.
    """
    seals = _seals_of(path.parent)
    old, new = seals.get(path.name, []), _seal(_parsed(path, text))
    both = [*(seal for seal in old if seal != new), new]  # until the file is in place, either may be there
    write_json(path.parent / SEALS, {**seals, path.name: both})
    write_atomically(path, text)
    if both != [new]:
        write_json(path.parent / SEALS, {**seals, path.name: [new]})


def write_json_and_seal(path: Path, content: object) -> None:
    """`write_json` with a seal."""
    write_and_seal(path, json_text(content))


def require_seal(path: Path) -> bool:
    """Check a file against its seal; False if it has none, as in runs of older versions.

    Raises:
        RunError: the file says something else than when it was written, with the difference; or its seal was edited.
        OSError: no such file.
    """
    for look in range(LOOKS):
        says = _parsed(path, path.read_text())
        seals = _seals_of(path.parent).get(path.name, [])
        if not seals:
            return False
        if any(seal["sha256"] == hash_of(says) for seal in seals):
            return True
        time.sleep(0.05 * (look + 1))
    raise RunError(
        f"a run is judged by what it was made with, but {path} was edited by hand: {_in_words(seals[-1]['says'], says)} (as "
        "written -> now); restore that, or begin a new run"
    )


def sealed_content(path: Path) -> Any:
    """What the file said when it was last sealed, even if it is gone; None without a seal.

    Raises:
        RunError: its seal was edited.
    """
    seals = _seals_of(path.parent).get(path.name, [])
    return seals[-1]["says"] if seals else None


def _seals_of(folder: Path) -> dict[str, list[dict[str, Any]]]:
    path = folder / SEALS
    try:
        seals: dict[str, list[dict[str, Any]]] = json.loads(path.read_text())
        edited = [name for name, own in seals.items() if any(seal["sha256"] != hash_of(seal["says"]) for seal in own)]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"cannot read {path}: {one_line(error)}; restore it, or begin a new run") from None
    if edited:
        raise RunError(f"{path} must be as it was written, but its {edited[0]} was edited; restore it, or begin a new run")
    return seals


def _seal(says: object) -> dict[str, Any]:
    return {"sha256": hash_of(says), "says": says}


def _parsed(path: Path, text: str) -> Any:
    """What the file says; its text where that is no YAML or JSON."""
    try:
        if path.suffix == ".yaml":
            return json.loads(json.dumps(yaml.safe_load(text), default=str))
        return json.loads(text) if path.suffix == ".json" else text.strip()
    except (ValueError, yaml.YAMLError):
        return text.strip()


def _in_words(before: object, now: object) -> str:
    found = differences({"": _by_name(before)}, {"": _by_name(now)})
    shown = [" ".join(each.removeprefix(".").removeprefix(": ").split())[:200] for each in found[:MOST_DIFFERENCES]]
    more = len(found) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def _by_name(content: object) -> object:
    """The same with every list as a dictionary of its places, so that one place that differs is named."""
    if isinstance(content, list):
        return {str(place): _by_name(value) for place, value in enumerate(content)}
    return {name: _by_name(value) for name, value in content.items()} if isinstance(content, dict) else content
