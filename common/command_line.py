"""What every command has in common: wrong input becomes one line and code 2, Ctrl-C a clean end, an option is given once."""

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from common.errors import InputError
from common.extras import explained


class CommandParser(argparse.ArgumentParser):
    """Tells a wrong option in one line. An option that takes one value may be given once: none of two is dropped silently."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (None, "store"):
            self.register("action", name, _Once)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; `--help` shows how\n")


class _Once(argparse.Action):
    """Stores the value of an option, and refuses a second one."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        given = vars(namespace).setdefault(GIVEN, {})
        if option_string and self.dest in given:
            first, second = given[self.dest], f"{option_string} {values}"
            parser.error(f"`{option_string}` may be given once, but got `{first}` and `{second}`; leave one out")
        given[self.dest] = f"{option_string} {values}"
        setattr(namespace, self.dest, values)


GIVEN = " given"
"""of a namespace: the options that were given so far, as they were written; no option can have that name"""


def exit_code(command: Callable[[], int]) -> int:
    """What the command returns; 2 after the one line of an input error, 130 after Ctrl-C."""
    try:
        return command()
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (told := explained(error, "this command")) is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
