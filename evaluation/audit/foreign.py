"""A user's own code, called in one way: what it raises is one line that names the part, and agents are asked as they can be."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from common import InputError


class UnplayableError(InputError):
    """A part that cannot be used at all, on whatever candles."""


class PartError(InputError):
    """A part of the user's raised something: an `UnplayableError` on the true candles, a finding on others."""


@contextmanager
def part(name: str) -> Iterator[None]:
    """Whatever the part raises becomes one line that names it."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise PartError(f"{name} raised {in_one_line(error)}") from error


@contextmanager
def on_true_candles() -> Iterator[None]:
    """A part that raises something here can't be audited."""
    try:
        yield
    except PartError as error:
        raise UnplayableError(f"{error}, on the true candles") from error


def in_one_line(error: Exception) -> str:
    """The error's kind and its words."""
    words = " ".join(str(error).split())
    return words if isinstance(error, PartError) else f"{type(error).__name__}{f': {words}' if words else ''}"


class Policy:
    """A plain function of the observation as an agent."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def predict(self, observation: Any) -> Any:
        """The action."""
        return self.function(observation)


def takes_one(function: Callable[..., Any]) -> bool:
    """Whether a function can be called with one argument, and with no second one."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) == 1 and not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)


def predicted(agent: Any, observation: Any, state: Any, episode_start: Any) -> tuple[Any, Any]:
    """Action and memory of an agent, which may take the observation alone and give the action alone."""
    alone = takes_one(agent.predict)
    with part("the agent's `predict`"):
        given = agent.predict(observation) if alone else agent.predict(observation, state, episode_start, deterministic=True)
    is_pair = isinstance(given, tuple) and len(given) == 2 and (not alone or given[1] is None)
    return given if is_pair else (given, state)
