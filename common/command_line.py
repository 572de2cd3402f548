"""What every command has in common: wrong input becomes one line and code 2, Ctrl-C a clean end."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from common.errors import InputError
from common.extras import explained


class CommandParser(argparse.ArgumentParser):
    """Tells a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; `--help` shows how\n")


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
