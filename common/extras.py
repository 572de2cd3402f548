"""Packages that only some uses need, and the one line that says which extra of ours brings a missing one."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from common.errors import InputError

EXTRAS = {
    "train": ("torch", "stable_baselines3", "sb3_contrib", "tensorboard", "h5py"),
    "search": ("optuna", "optuna_dashboard", "cmaes"),
    "report": ("matplotlib", "plotly"),
    "images": ("bottle", "PIL"),
    "download": ("ccxt",),
    "scale": ("distributed", "psycopg"),
}
"""by extra, as `pyproject.toml` has them, the names under which its packages are imported"""
INSTALLED_AS = {"PIL": "pillow"}
"""packages whose name for pip is another one"""


class MissingPackageError(InputError, ModuleNotFoundError):
    """A package of an extra that is not installed; `name` is that of its module."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


def explained(error: ModuleNotFoundError, what: str) -> MissingPackageError | None:
    """What to tell of an import that failed, with `what` needed it; None if no extra of ours has the package."""
    package = (error.name or "").partition(".")[0]
    extras = [extra for extra, packages in EXTRAS.items() if package in packages]
    return _missing(what, [package], extras) if extras else None


@contextmanager
def needed_for(what: str) -> Iterator[None]:
    """Around imports within a function: one that fails for want of an extra raises `MissingPackageError`."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (told := explained(error, what)) is None:
            raise
        raise told from error


def require_extras(what: str, *extras: str) -> None:
    """Raise `MissingPackageError` if a package of these extras is not installed; nothing is imported, so it takes no time."""
    lacking = {extra: [package for package in EXTRAS[extra] if find_spec(package) is None] for extra in extras}
    lacking = {extra: packages for extra, packages in lacking.items() if packages}
    if lacking:
        raise _missing(what, [packages[0] for packages in lacking.values()], list(lacking))


def _missing(what: str, packages: list[str], extras: list[str]) -> MissingPackageError:
    names = " and ".join(INSTALLED_AS.get(package, package).replace("_", "-") for package in packages)
    is_or_are = "is" if len(packages) == 1 else "are"
    told = f"{what} needs {names}, which {is_or_are} not installed: pip install -e '.[{','.join(extras)}]'"
    return MissingPackageError(told, name=packages[0])
