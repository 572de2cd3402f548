"""The base of every error that a user's input can cause: its message is one line, and the scripts print just that."""

import difflib
from collections.abc import Iterable

FEW_NAMES = 25
"""names that a message can list beside the nearest one; the indicators are more"""


class InputError(ValueError):
    """Input that breaks a rule; the message names the rule, the value, the place and what to do."""

    def __str__(self) -> str:
        return printable(super().__str__())


class RunError(InputError):
    """A run folder that is missing, incomplete, edited, or holds something else than expected."""


class PluginError(InputError):
    """A plugin of the user's that is missing or was changed, or whose code fails."""


def printable(text: str) -> str:
    """The text with what a terminal would obey, such as colours or a cleared screen, written out: `\\x1b[2J`.

    >>> printable("BTC" + chr(27) + "[2J")
    'BTC\\\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that does not exist: the nearest one if there is one, and the others if they are few."""
    names = list(known)
    close = difflib.get_close_matches(name, names, 1, 0.5)
    known_ones = f"the known ones are {_first(names)}" if names else "there are none"
    if not close:
        return f"there is no {kind} {name!r}; {known_ones}"
    return f"there is no {kind} {name!r}; did you mean {close[0]!r}?" + (f" ({known_ones})" if len(names) <= FEW_NAMES else "")


def _first(names: list[str], most: int = FEW_NAMES) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def one_line(error: BaseException, most: int = 200) -> str:
    """What an error says, as one line of at most so many characters; its type where it says nothing."""
    text = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
    return text[:most] or type(error).__name__
