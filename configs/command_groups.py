"""What `forecast.py interactions` and `forecast.py images` share: a table of commands, and the groups of their settings."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from pydantic import ValidationError
from rich.console import Console

from common import InputError, Settings, unknown
from configs.command_line import Parser, parse
from configs.experiment import Overrides, SettingError, wrong_value

Group = TypeVar("Group", bound=Settings)


class Command(NamedTuple):
    """One command: what runs it, its help, its own options, the settings that it takes, the extras that it needs."""

    run: Callable[[Namespace, Overrides, Console], int]
    help: str
    options: tuple[str, ...]
    settings: dict[str, type[Settings]]
    needs: tuple[str, ...]
    required: tuple[str, ...] = ()


def run_one(
    words: list[str], commands: Mapping[str, Command], parser_of: Callable[[str], Parser], help: str, console: Console
) -> int:
    """Run the command that the first word names, with the options behind it; print `help` without one."""
    if words[:1] in ([], ["-h"], ["--help"]):
        print(help)
        return 0
    if words[0] not in commands:
        raise InputError(unknown("command", words[0], commands))
    return commands[words[0]].run(*parse(parser_of(words[0]), words[1:]), console)


def group_of(kind: type[Group], overrides: Overrides) -> Group:
    """The settings of a group among those that were given."""
    try:
        return kind.model_validate({name: value for name, value in overrides.items() if name in kind.model_fields})
    except ValidationError as error:
        raise SettingError(wrong_value(error)) from None
