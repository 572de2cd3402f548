"""The plugins of an experiment: every list of every room that they may add to."""

from collections.abc import Iterable, Mapping
from functools import cache

from common import InputError, Kind, load_plugins as load_with, unload_plugins as unload_with

KINDS_IN_WORDS = (
    "reward",
    "indicator",
    "forecaster",
    "simulated market",
    "algorithm",
    "dimension",
    "family of a plugin",
    "column of a time frame",
)
"""what a message calls the entries of the lists, where a setting names one"""


def load_plugins(given: Iterable[str] | Mapping[str, str | None]) -> dict[str, str]:
    """Load a user's own files or modules, so that their rewards, indicators and so on are known by name.

    The settings `plugins` do this by themselves; this is for programs.

    Args:
        given: names such as `my_ideas.py` or `package.module`; or by name the sha256 that its code must have, or None.

    Returns:
        By name the sha256 of its code.

    Raises:
        InputError: a plugin that is missing, was changed, cannot be run, adds nothing, or adds what is there already.
    """
    return load_with(given, kinds())


def unload_plugins() -> None:
    """Forget all plugins and what they have added."""
    unload_with(kinds())


@cache
def kinds() -> tuple[Kind, ...]:
    """Of all rooms."""
    from agents import AGENT_KINDS
    from envs import ENV_KINDS
    from evaluation.oracles import ORACLE_KINDS
    from features import FEATURE_KINDS
    from market import MARKET_KINDS

    return (*MARKET_KINDS, *FEATURE_KINDS, *ENV_KINDS, *AGENT_KINDS, *ORACLE_KINDS)


def joined(*given: object) -> dict[str, str | None]:
    """The plugins of a config, of a run and of the command line together: by name the hash that the code must have, if any.

    Raises:
        InputError: something else than names.
    """
    found: dict[str, str | None] = {}
    for each in given:
        if isinstance(each, str):
            each = each.split(",")
            if not all(part.strip() for part in each):
                raise InputError(f"a plugin needs a name, such as my_ideas.py, but got {','.join(each)!r}")
        if isinstance(each, Mapping):
            found |= {str(name): None if sha256 is None else str(sha256) for name, sha256 in each.items()}
        elif isinstance(each, list | tuple):
            found |= {str(name).strip(): found.get(str(name).strip()) for name in each if str(name).strip()}
        elif each is not None:
            raise InputError(f"plugins are files or modules, such as [my_ideas.py, package.module], but got {each!r}")
    return found
