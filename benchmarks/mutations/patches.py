"""A break: a few words of one function, replaced."""

import ast
from dataclasses import dataclass
from pathlib import Path


class PatchError(ValueError):
    """A break that does not fit the code: it was changed since."""


@dataclass(frozen=True)
class Break:
    """A deliberate fault.

    Args:
        test: of the promise that it breaks, as the README names it.
        what: the fault in words.
        file: relative to the repository.
        function: where it lies: `name` or `Class.name`; empty for the module's own lines.
        old: what is replaced; it must occur in the function exactly once. Empty: nothing is broken.
        new: what it is replaced by.
        only: `[parameter]` of the test if one of its cases suffices, such as one seed of a long training.
    """

    test: str
    what: str
    file: str
    function: str
    old: str
    new: str
    only: str = ""

    @property
    def selected(self) -> str:
        """What pytest runs."""
        return self.test + self.only


def patched(source: str, one: Break) -> str:
    """The source with the fault.

    Raises:
        PatchError: the function is not there, or `old` is not in it exactly once.
    """
    lines = source.splitlines(keepends=True)
    first, last = _lines_of(source, one) if one.function else (0, len(lines))
    body = "".join(lines[first:last])
    if body.count(one.old) != 1:
        where = f"{one.function or 'the module'} in {one.file}"
        raise PatchError(f"a break replaces words that occur once, but {one.old!r} is {body.count(one.old)} times in {where}")
    broken = "".join((*lines[:first], body.replace(one.old, one.new), *lines[last:]))
    if one.file.endswith(".py"):
        ast.parse(broken)
    return broken


def apply(one: Break, root: Path) -> None:
    """Put the fault into the tree at `root`."""
    path = root / one.file
    path.write_text(patched(path.read_text(), one))


def _lines_of(source: str, one: Break) -> tuple[int, int]:
    """First line, and the one after the last, from 0; decorators included."""
    scope: list[ast.stmt] = ast.parse(source).body
    found: ast.stmt | None = None
    for name in one.function.split("."):
        named = [node for node in scope if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name]
        if not named:
            raise PatchError(f"a break names a function, but {one.file} has no {one.function}")
        found = named[0]
        scope = named[0].body
    assert isinstance(found, ast.FunctionDef | ast.ClassDef)
    assert found.end_lineno
    return min([found.lineno, *(each.lineno for each in found.decorator_list)]) - 1, found.end_lineno
