"""Plugins: Python files of a user's own that add entries to the project's lists, such as a reward or an indicator.

A plugin is named by its file (`my_ideas.py`) or as a module (`package.module`). It holds dictionaries with the names of the lists
that it adds to, such as `REWARDS = {"calm": calm}`; each room says which lists it has (`Kind`). What is known of a plugin is its
name and the hash of its code: a run goes on only with the code that it began with.
"""

import difflib
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from common.atomic_files import write_atomically
from common.errors import InputError, PluginError, one_line
from common.plugin_files import dotted, file_of, own_files

LISTS = (
    "LAYOUTS", "MARKETS", "INDICATORS", "FAMILIES", "FORECASTERS", "REWARDS", "STRATEGIES", "ALGORITHMS", "DIMENSIONS", "ORACLES",
)  # fmt: skip
"""all lists that a plugin may add to; a test holds the rooms' kinds to it"""
Entries = dict[str, Any]
Registry = MutableMapping[str, Any] | list[Any]


@dataclass(frozen=True)
class Kind:
    """One list that plugins add to.

    Args:
        name: of the list, and of the dictionary in a plugin.
        registry: gives the list itself, a dictionary or a list of entries with a `name`. A function, since to import it may take
            seconds; it is called only for a plugin that names the list.
        wanted: what an entry must be, for the message.
        fits: whether a value is that.
    """

    name: str
    registry: Callable[[], Registry]
    wanted: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class Plugin:
    """A plugin that is loaded.

    Args:
        name: as it was given.
        sha256: hash of its code: of the file, and of the files beside it that it imports.
        sources: these, the plugin's own first, as they were when it was loaded.
        entries: by list, what it added.
    """

    name: str
    sha256: str
    sources: Mapping[Path, bytes]
    entries: Mapping[str, Entries]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(self.sources)


_LOADED: dict[Path, Plugin] = {}
"""by file"""
_ON_THE_PATH: dict[Path, str] = {}
"""by the file of a plugin, the folder that was added for it to where Python looks for modules"""


def load_plugins(given: Iterable[str] | Mapping[str, str | None], kinds: Iterable[Kind]) -> dict[str, str]:
    """Load plugins, and add what they hold to the lists; one that is loaded with the same code is left as it is.

    Args:
        given: names; or by name the hash that the code must have, as a run wrote it down, or None. Another name for the same code
            says where that lies now.
        kinds: the lists that this program has.

    Returns:
        By name the hash of its code, sorted by name.

    Raises:
        InputError: a plugin that is missing, was changed, cannot be run, adds nothing, or adds what is there already.
    """
    kinds, wanted = tuple(kinds), dict(given) if isinstance(given, Mapping) else dict.fromkeys(given)
    new = [plain_name(name) for name, expected in wanted.items() if expected is None]
    found = {name: _load(name, None, kinds).sha256 for name in new}
    for name, expected in wanted.items():
        if expected is not None:
            moved = [other for other in new if found.get(other) == expected]
            for other in moved:  # the same code, named where it lies now
                del found[other]
            found[plain_name(name)] = expected if moved else _load(plain_name(name), expected, kinds).sha256
    return dict(sorted(found.items()))


def plain_name(name: str) -> str:
    """One spelling for one plugin: `./my_ideas.py`, or its whole path, is `my_ideas.py` where it lies in the working folder."""
    if dotted(name):
        return name
    path = Path(name).resolve()
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else Path(name).as_posix()


def own_names(kind: str) -> frozenset[str]:
    """What plugins have added to that list."""
    return frozenset(name for plugin in _LOADED.values() for name in plugin.entries.get(kind, ()))


def provider(kind: str, name: str) -> Plugin | None:
    """The plugin that has added that name to that list; None if none has."""
    return next((plugin for plugin in _LOADED.values() if name in plugin.entries.get(kind, ())), None)


@contextmanager
def blamed(kind: str, name: str) -> Iterator[None]:
    """What the code of a plugin raises within it becomes one line that names the entry, the plugin and the line of its code.

    Args:
        kind, name: of the entry; what no plugin has added raises what it raises.
    """
    plugin = provider(kind, name)
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if plugin is None:
            raise
        raise PluginError(f"{name!r} of the plugin {plugin.name} failed: {_where(error, plugin.files)}{_said(error)}") from error


def copy_plugins(plugins: Mapping[str, str], folder: Path) -> None:
    """Keep the code of plugins that are loaded in a folder, for people to read: nothing is ever run from there.

    Args:
        plugins: by name the hash of the code, as `load_plugins` gives them.
    """
    for sources in [plugin.sources for plugin in _LOADED.values() if plugin.sha256 in plugins.values()]:
        root = Path(os.path.commonpath([path.parent for path in sources]))
        for path, source in sources.items():
            write_atomically(folder / path.relative_to(root), source)


def unload_plugins(kinds: Iterable[Kind]) -> None:
    """Take all that plugins have added out of the lists again."""
    for plugin in list(_LOADED.values()):
        _remove(plugin, tuple(kinds))


def _load(name: str, expected: str | None, kinds: tuple[Kind, ...]) -> Plugin:
    file = file_of(name)
    files = own_files(name, file)
    sources = {path: path.read_bytes() for path in files}
    sha256 = _hash_of(sources)
    if expected is not None and expected != sha256:
        raise PluginError(
            f"a run or a study goes on with the code that it began with, but the plugin {name} has changed since (hash "
            f"{sha256[:12]}, then {expected[:12]}); restore it (a run keeps a copy in plugins/ of its folder), or begin a new one"
        )
    before = _LOADED.get(file)
    if before and before.sha256 == sha256:
        return before
    if before:
        _remove(before, kinds)
    code = b"\n".join(sources.values()).decode(errors="replace")
    with _Lists(files, [kind for kind in kinds if kind.name in code]) as lists:
        module = _execute(name, file, sources[file], files)
        _require_known_lists(name, module)
        _require_a_list(name, module)
        plugin = Plugin(name, sha256, sources, lists.added_by(name, module))
    _LOADED[file] = plugin
    return plugin


class _Lists:
    """The lists that a plugin names, as they were before it: if anything is wrong with it they are put back."""

    def __init__(self, files: tuple[Path, ...], kinds: list[Kind]) -> None:
        self.files, self.kinds = files, kinds
        self.registries = {kind.name: kind.registry() for kind in kinds}
        self.before = {name: _entries(registry) for name, registry in self.registries.items()}

    def __enter__(self) -> "_Lists":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            _forget_modules(self.files)
            for name, registry in self.registries.items():
                _replace(registry, self.before[name])

    def added_by(self, plugin: str, module: ModuleType) -> dict[str, Entries]:
        """Check what the module holds, or has written into the lists by itself, and add it."""
        added = {}
        for kind in self.kinds:
            registry, before = self.registries[kind.name], self.before[kind.name]
            held = getattr(module, kind.name, {})
            now = _entries(registry)
            written = {name: value for name, value in now.items() if name not in before or before[name] is not value}
            own = written if held is registry else _entries(_checked(plugin, kind, held)) | written
            for name, value in own.items():
                _require_new(plugin, kind, name, before)
                _require_fitting(plugin, kind, name, value)
            _replace(registry, _joined(registry, before, own))
            added[kind.name] = own
        return added


def _require_new(plugin: str, kind: Kind, name: str, before: Entries) -> None:
    if name in before:
        others = [each.name for each in _LOADED.values() if name in each.entries.get(kind.name, ())]
        whose = f"the plugin {others[0]} has one" if others else "the project has one"
        raise PluginError(
            f"a plugin may add to {kind.name} and replace nothing, but {plugin} holds {name!r}, and {whose}; give yours another "
            "name"
        )


def _require_a_list(plugin: str, module: ModuleType) -> None:
    if not any(getattr(module, name, None) for name in LISTS):
        raise PluginError(
            f"a plugin must add something, but {plugin} holds none of {', '.join(LISTS)}; give it one, such as "
            '`REWARDS = {"mine": mine}`'
        )


def _checked(plugin: str, kind: Kind, held: object) -> Registry:
    expected = list if kind.name == "LAYOUTS" else dict
    if not isinstance(held, dict | list) or (held and not isinstance(held, expected)):
        raise PluginError(f"{kind.name} of {plugin} must be a {expected.__name__}, but it is a {type(held).__name__}")
    return held


def _require_fitting(plugin: str, kind: Kind, name: object, value: object) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or set(",=:/[]") & set(name):
        raise PluginError(
            f"an entry of {kind.name} needs a name without commas, colons, slashes, brackets and `=`, but {plugin} has {name!r}"
        )
    if not kind.fits(value):
        raise PluginError(f"an entry of {kind.name} must be {kind.wanted}, but {plugin} has {name!r}: {value!r}")


def _require_known_lists(plugin: str, module: ModuleType) -> None:
    """A list with a wrong name would be dropped without a word."""
    for name, value in vars(module).items():
        if not isinstance(value, dict | list) or name.startswith("_") or name in LISTS:
            continue
        if close := difflib.get_close_matches(name.upper(), LISTS, 1, 0.85):
            raise PluginError(f"{plugin} holds {name}, which is no list of the project's; did you mean {close[0]}?")


def _execute(name: str, file: Path, source: bytes, files: tuple[Path, ...]) -> ModuleType:
    """Run the very bytes that were hashed."""
    module_name = name if dotted(name) else file.stem
    if not dotted(name):
        _require_free(module_name, file)
        if str(file.parent) not in sys.path:
            _ON_THE_PATH[file] = str(file.parent)
            sys.path.append(str(file.parent))  # at the end: a file beside the plugin hides nobody's module
    importlib.invalidate_caches()
    loader = SourceFileLoader(module_name, str(file))
    spec = importlib.util.spec_from_file_location(module_name, file, loader=loader)
    assert spec is not None  # of a loader that is given
    try:
        if "." in module_name:
            importlib.import_module(module_name.rpartition(".")[0])
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        exec(loader.source_to_code(source, str(file)), module.__dict__)
    except (Exception, SystemExit) as error:
        raise PluginError(f"the plugin {name} cannot be loaded: {_where(error, files)}{_said(error)}") from error
    return module


def _require_free(module_name: str, file: Path) -> None:
    """A plugin `random.py` would be mistaken for Python's own."""
    if not module_name.isidentifier():
        raise PluginError(
            f"a plugin's file must have a name that Python can import, but got {file.name}; rename it, such as my_ideas.py"
        )
    known = sys.modules.get(module_name)
    if known is None:
        try:
            found = importlib.util.find_spec(module_name)
        except (ImportError, ValueError):
            found = None
        other = found.origin if found else None
    else:
        other = getattr(known, "__file__", None) or "a part of Python"
    if other and Path(other).resolve() != file:
        raise PluginError(f"a plugin's file may not have the name of another module, but {file} has that of {other}; rename it")


def _where(error: BaseException, files: tuple[Path, ...]) -> str:
    """`line 12: `, the innermost line of the plugin's own code."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    lines, trace = [], error.__traceback__
    while trace:
        path = Path(trace.tb_frame.f_code.co_filename).resolve()
        if path in files:
            lines.append(f"{path.name}, line {trace.tb_lineno}: " if path != files[0] else f"line {trace.tb_lineno}: ")
        trace = trace.tb_next
    return lines[-1] if lines else ""


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(error)}"


def _forget_modules(files: tuple[Path, ...]) -> None:
    for name in [name for name, module in sys.modules.items() if _file_of_loaded(module) in files]:
        del sys.modules[name]


def _file_of_loaded(module: ModuleType | None) -> Path:
    return Path(getattr(module, "__file__", None) or "").resolve()


def _remove(plugin: Plugin, kinds: tuple[Kind, ...]) -> None:
    for kind in kinds:
        if own := plugin.entries.get(kind.name):
            registry = kind.registry()
            _replace(registry, {name: value for name, value in _entries(registry).items() if name not in own})
    _forget_modules(plugin.files)
    if (folder := _ON_THE_PATH.pop(plugin.files[0], None)) in sys.path:
        sys.path.remove(str(folder))
    del _LOADED[plugin.files[0]]


def _entries(registry: Registry) -> Entries:
    if isinstance(registry, list):
        return {getattr(entry, "name", repr(entry)): entry for entry in registry}
    return dict(registry)


def _joined(registry: Registry, before: Entries, own: Entries) -> Entries:
    """A list is tried from the front, so what is new stands there; a dictionary is in the order of what is shown."""
    return own | before if isinstance(registry, list) else before | own


def _replace(registry: Registry, entries: Entries) -> None:
    if isinstance(registry, list):
        registry[:] = entries.values()
    else:
        registry.clear()
        registry.update(entries)


def _hash_of(sources: Mapping[Path, bytes]) -> str:
    """Of one file its sha256; of several that of their names and hashes."""
    hashes = [(path.name, hashlib.sha256(source).hexdigest()) for path, source in sources.items()]
    if len(hashes) == 1:
        return hashes[0][1]
    return hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in hashes).encode()).hexdigest()
