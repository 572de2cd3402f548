"""How a person gives a setting where a message is read: `repair=True` in Python, `--market.repair true` to a script."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Spelling = Callable[[str, object], str]


def in_python(setting: str, value: object) -> str:
    """`market.repair`, True -> `repair=True`."""
    return f"{setting.split('.')[-1]}={value!r}"


def in_a_script(setting: str, value: object) -> str:
    """`market.repair`, True -> `--market.repair true`."""
    said = str(value).lower() if isinstance(value, bool) else f"{value}"
    return f"--{setting} {said}"


def in_training(setting: str, value: object) -> str:
    """For a script that takes the settings of a run: `python train.py --market.repair true`, in a run of its own."""
    return f"python train.py {in_a_script(setting, value)}"


_SPELLING: ContextVar[Spelling] = ContextVar("spelling", default=in_python)


def option(setting: str, value: object) -> str:
    """How to give that value to a setting, in the words of the command that is running.

    Args:
        setting: with its section, such as `market.repair`.
        value: what to give, or words for it, such as `base or quote`.
    """
    return f"`{_SPELLING.get()(setting, value)}`"


@contextmanager
def spelled(spelling: Spelling) -> Iterator[None]:
    """Within it, messages name settings so."""
    token = _SPELLING.set(spelling)
    try:
        yield
    finally:
        _SPELLING.reset(token)
