"""Where the code of a plugin lies: its file, and the files of the user's own that it imports."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from coindojo_rooms import ROOMS
from common.errors import PluginError


def dotted(name: str) -> bool:
    """Whether a plugin is named as a module, `package.module`, and not by its file."""
    return not name.endswith(".py") and "/" not in name and "\\" not in name


def file_of(name: str) -> Path:
    """The file of a plugin. Nothing of it is run.

    Raises:
        PluginError: there is none, or it lies in a run folder, from where no code is ever run.
    """
    file = _file_of_module(name) if dotted(name) else Path(name)
    if file is None or not file.is_file():
        raise PluginError(
            f"there is no plugin {name} (looked in {Path.cwd()}); name a file such as my_ideas.py, or a module such as "
            "package.module; of a run or a study, --plugin says where the same code lies now"
        )
    file = file.resolve()
    if folder := next((parent for parent in file.parents if (parent / "data.sha256").exists()), None):
        raise PluginError(
            f"no code is run from a run folder, since a run may come from somebody else, but the plugin {name} lies in {folder}; "
            "look at it, and copy it to where you work"
        )
    return file


def own_files(name: str, file: Path) -> tuple[Path, ...]:
    """The plugin's file, then all files of its folder or package that it imports, directly or not; none of the project's."""
    root = file.parent
    for _ in range(name.count(".") + (file.name == "__init__.py") if dotted(name) else 0):
        root = root.parent
    found, waiting = {file}, [file]
    while waiting:
        for path in _imported(waiting.pop(), root):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return (file, *sorted(found - {file}))


def _file_of_module(name: str) -> Path | None:
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        sys.path.append(str(Path.cwd()))
    first, *parts = name.split(".")
    try:
        spec = importlib.util.find_spec(first)  # runs no code; with a dot it would run the packages above
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        folders = list(spec.submodule_search_locations or []) if spec else []
        return _module_in(Path(folders[0]), parts) if folders and parts else None
    return _module_in(Path(spec.origin).parent, parts) if parts else Path(spec.origin)


def _module_in(folder: Path, parts: list[str]) -> Path | None:
    place = folder.joinpath(*parts)
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imported(path: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:  # told with its line when the plugin is run
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_along(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else root
            module = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _files_along(base, [*module, alias.name])


def _files_along(base: Path, parts: list[str]) -> Iterator[Path]:
    """The packages on the way to a module, and the module; the last part may be a name within it."""
    if parts[0] in ROOMS:
        return
    for length in range(1, len(parts) + 1):
        if (found := _module_in(base, parts[:length])) is not None:
            yield found.resolve()
