"""Turns the settings tree into command-line options, and input errors into one line."""

import argparse
import contextlib
import math
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic.fields import FieldInfo

from common import CommandParser, Settings, Spelling, exit_code, in_a_script, require_extras, spelled
from configs.experiment import Experiment, Overrides, nearest, setting_fields
from configs.option_help import COMMON, help_text, value_name
from configs.setting_values import from_command_line
from features import progress_shown

SHORTCUTS = {
    "activation": "features.forecasts.activation",
    "reward": "env.reward",
    "trials": "search.trials",
    "storage": "search.storage",
    "steps": "train.steps",
    "seed": "train.seed",
}
DEFAULT_CONFIG = Path(__file__).with_name("default.yaml")
ANY_REWARD = "all"
"""as --reward: the search chooses the reward, too"""
ALL_HELP = "; or all: a search chooses the reward, too"
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
"""in seconds"""
EVERYTHING = tuple(Experiment.model_fields)
SETTINGS = {name: field for name, field in setting_fields() if name != "plugins"}
"""every setting that is an option of its own, by dotted name"""


class Parser(CommandParser):
    """A parser whose errors are one line. `--help` shows the script's own options and the common settings, `--help-all` all.

    Attributes:
        settings: those that may be options, by name.
        common: settings that `--help` shows.
        needs: extras whose packages the script imports; their help needs none of them.
    """

    settings: Mapping[str, FieldInfo] = SETTINGS
    common: Sequence[str] = ()
    needs: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")

    def format_help(self) -> str:
        settings = {action.dest: action for action in self._actions if action.dest in self.settings}
        if not settings:
            return self.format_help_of_all()
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, [], [])
        formatter.add_text(self.description)
        for heading, actions in (
            ("options", [*self._positionals._group_actions, *self._optionals._group_actions]),
            ("common settings", [settings[name] for name in self.common if name in settings]),
        ):
            formatter.start_section(heading)
            formatter.add_arguments(actions)
            formatter.end_section()
        rest = f"--help-all shows all {len(settings)} settings: {_sections_of(settings)}"
        formatter.add_text(textwrap.fill(rest, formatter._width))
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def format_help_of_all(self) -> str:
        """With every setting."""
        return super().format_help()


class _HelpAll(argparse.Action):
    """`--help-all`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        assert isinstance(parser, Parser)
        print(parser.format_help_of_all(), end="")
        parser.exit()


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Names the value of an option once, behind all of its names."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {self._format_args(action, self._get_default_metavar_for_optional(action))}"


def make_parser(
    description: str,
    sections: Iterable[str] = EVERYTHING,
    shortcuts: Iterable[str] = (),
    config: bool = True,
    needs: tuple[str, ...] = (),
) -> Parser:
    """A parser with an option for every setting of the given sections, such as `--env.fee_bps 5`.

    A section may be a part of one, such as `features.forecasts`, or a single setting. `needs` names the extras without which
    `parse` refuses.
    """
    names = [name for name in SETTINGS if any(name == section or name.startswith(f"{section}.") for section in sections)]
    parser = _bare_parser(description, needs, help_all=bool(names))
    if config:
        parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="YAML", help="settings to start from")
    parser.add_argument(
        "--plugin", "--plugins", dest="plugins", action="append", default=argparse.SUPPRESS, metavar="FILE",
        help=Experiment.model_fields["plugins"].description,
    )  # fmt: skip
    short = {SHORTCUTS[shortcut]: shortcut for shortcut in shortcuts}
    parser.common = [name for name in COMMON if name in short or name not in SHORTCUTS.values()]
    groups = {section: parser.add_argument_group("experiment" if section == "name" else section) for section in sections}
    for name in names:
        section = next(section for section in groups if name == section or name.startswith(f"{section}."))
        flags = [f"--{short[name]}"] if name in short else []
        more = ALL_HELP if name == "env.reward" and "search.any_reward" in names else ""
        _add_setting(groups[section], name, SETTINGS[name], flags, more)
    return parser


def make_group_parser(
    description: str, groups: Mapping[str, type[Settings]], common: Sequence[str] = (), needs: tuple[str, ...] = ()
) -> Parser:
    """A parser with an option for every setting of some groups that are no part of an experiment, such as `--epochs 5`.

    Args:
        description: of the command, for the help.
        groups: by heading; a setting that several have is one option.
        common: settings that `--help` shows.
        needs: as in `make_parser`.
    """
    parser = _bare_parser(description, needs, help_all=bool(groups))
    parser.common, parser.settings = common, {}
    for heading, group in groups.items():
        section = parser.add_argument_group(heading)
        own = {name: field for name, field in setting_fields(group) if name not in parser.settings}
        for name, field in own.items():
            _add_setting(section, name, field)
        parser.settings |= own
    return parser


def parse(parser: Parser, arguments: list[str] | None = None) -> tuple[argparse.Namespace, Overrides]:
    """The script's own options, and the settings that were given, by dotted name."""
    options, unknown = parser.parse_known_args(arguments)
    known = [name.lstrip("-") for action in parser._actions for name in action.option_strings]
    if unknown:
        name = unknown[0].lstrip("-").split("=")[0]
        options_hint = nearest(name, known).replace("did you mean `", "did you mean `--")
        hint = options_hint if unknown[0].startswith("-") else "; `--help` lists the options"
        parser.error(f"there is no option `{unknown[0]}`{hint}")
    require_extras(parser.prog, *parser.needs)
    given = {name: value for name, value in vars(options).items() if name in parser.settings}
    overrides = {name: from_command_line(given[name], parser.settings[name].annotation) for name in sorted(given)}
    if "plugins" in vars(options):
        overrides["plugins"] = ",".join(options.plugins)
    if overrides.get("env.reward") == ANY_REWARD and "search.any_reward" in known:
        if overrides.get("search.any_reward") is False:
            parser.error("`--reward all` searches the reward, but got `--search.any_reward false`; leave one out")
        del overrides["env.reward"]
        overrides["search.any_reward"] = True
    return options, overrides


def positive(text: str) -> int:
    """A count from the command line, for `add_argument(type=...)`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it must be 1 or more, but got {text}")
    return int(text)


def seconds(text: str) -> float:
    """A time from the command line, in seconds, or such as 90s, 30m, 2h or 1d."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
    with contextlib.suppress(ValueError):
        if 0 < float(number) < math.inf:
            return float(number) * UNITS[unit]
    raise argparse.ArgumentTypeError(f"it must be a time above 0, in seconds or such as 30m or 2h, but got {text}")


def run(main: Callable[[], int], spelling: Spelling = in_a_script) -> NoReturn:
    """Run a script's main function: an input error becomes its one line, Ctrl-C a clean end. Long work on features is shown.

    Args:
        main: returns the exit code.
        spelling: how messages name a setting; `in_training` for a script that takes those of a run.
    """
    with spelled(spelling), progress_shown():
        sys.exit(exit_code(main))


def _bare_parser(description: str, needs: tuple[str, ...], help_all: bool) -> Parser:
    first, *rest = description.strip().split("\n\n")
    parser = Parser(
        usage="python %(prog)s [--option value ...]",
        description=first,
        epilog="\n\n".join(rest),
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    parser.needs = needs
    if help_all:
        parser.add_argument("--help-all", action=_HelpAll, nargs=0, default=argparse.SUPPRESS, help="show every setting and exit")
    return parser


def _add_setting(
    group: argparse._ArgumentGroup, name: str, field: FieldInfo, flags: Sequence[str] = (), more_help: str = ""
) -> None:
    flag: dict[str, Any] = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
    told, shown = help_text(name, field) + more_help, value_name(field)
    group.add_argument(*flags, f"--{name}", dest=name, help=told, default=argparse.SUPPRESS, metavar=shown, **flag)


def _sections_of(settings: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(name if "." not in name else f"{name.split('.')[0]}.*" for name in settings))
