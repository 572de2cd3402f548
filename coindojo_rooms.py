"""The rooms of CoinDojo, in the order in which they may import each other, and how a room opens its front door.

It lies outside of all rooms and imports none of them, since any room may be hidden by a module of somebody else's.
`python -m coindojo_rooms` looks whether one is.
"""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lazy_loader import attach_stub

ROOMS = ("common", "market", "features", "envs", "agents", "evaluation", "training", "search", "configs")
ROOT = Path(__file__).parent


class HiddenRoomError(ValueError):
    """A module of somebody else's has the name of a room of ours, and Python finds it first."""


def open_room(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package: the names in its `__init__.pyi`, each loaded when it is first used.

    A name that needs a package which is not installed raises `common.MissingPackageError`, which names the extra.

    Raises:
        HiddenRoomError: the room could not import one of those below it.
    """
    require_our_rooms(ROOMS[: ROOMS.index(package.partition(".")[0])])
    load, names, everything = attach_stub(package, file)

    def __getattr__(name: str) -> Any:
        try:
            return load(name)
        except ModuleNotFoundError as error:
            from common.extras import explained  # late, since this module comes before all rooms

            if (told := explained(error, f"`{package}.{name}`")) is None:
                raise
            raise told from error

    return __getattr__, names, everything


def require_our_rooms(rooms: tuple[str, ...] = ROOMS) -> None:
    """Raise `HiddenRoomError` if a module of the name of one of these rooms, which lies elsewhere, is what Python imports."""
    for room in rooms:
        theirs = _found(room)
        if theirs is not None and theirs.resolve() != (ROOT / room).resolve():
            raise HiddenRoomError(
                f"CoinDojo imports its own `{room}` from {ROOT / room}, but Python finds {theirs} first; rename or remove "
                "that, or start Python in another folder"
            )


def _found(name: str) -> Path | None:
    """The file or folder that `import name` takes, or has taken; None if there is none."""
    spec = find_spec(name) if getattr(sys.modules.get(name), "__spec__", True) else None
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])  # of a package, or of a folder without an `__init__.py`
    place = places[0] if places else spec.origin
    return None if place is None else Path(place)


if __name__ == "__main__":
    require_our_rooms()
    print(f"all rooms are those of {ROOT}")
