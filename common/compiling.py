"""numba's decorators with a cache on disk, and without one where numba finds no folder that it may write to."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any


def cached(decorator: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`decorator(*arguments, cache=True, **options)`, such as `cached(njit, error_model="numpy")`.

    numba refuses to compile with a cache where the installation and the home folder are read-only. There the function is compiled
    by each process for itself, which one line on stderr says once.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return decorator(*arguments, cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            _say_so()
            return decorator(*arguments, **options)(function)

    return decorate


@cache
def _say_so() -> None:
    print(
        "note: compiled code cannot be kept, since neither the installation nor the home folder can be written to; this process "
        "compiles its own. NUMBA_CACHE_DIR may name another folder",
        file=sys.stderr,
    )
