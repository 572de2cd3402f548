"""Somebody's environment by its name, as `python audit.py --env package.module:make_env` gives it."""

import importlib
import sys
from pathlib import Path
from typing import Any

from common import InputError


def imported(target: str) -> Any:
    """The object behind `package.module:name`; modules of the current folder are found as well.

    Raises:
        InputError: no such module, or nothing of that name in it.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise InputError(f"`--env` needs `package.module:function`, but got {target!r}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InputError(f"`--env {target}` cannot be imported: {error}; run it where the module lies, or install it") from error
    if not hasattr(module, name):
        raise InputError(
            f"`--env {target}`: {module_name} has no `{name}`; name a function of candles that makes the environment"
        )
    return getattr(module, name)
