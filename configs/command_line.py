"""Turns the settings tree into command-line options, and input errors into one line."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic.fields import FieldInfo

from common import Spelling, exit_code, in_a_script, require_extras, spelled
from configs.experiment import Experiment, Overrides, nearest, setting_fields
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
EVERYTHING = tuple(Experiment.model_fields)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the page of usage.

    Attributes:
        needs: extras whose packages the script imports; their help needs none of them.
    """

    needs: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def make_parser(
    description: str,
    sections: Iterable[str] = EVERYTHING,
    shortcuts: Iterable[str] = (),
    config: bool = True,
    needs: tuple[str, ...] = (),
) -> Parser:
    """A parser with an option for every setting of the given sections, such as `--env.fee_bps 5`; values are YAML.

    A section may be a part of one, such as `features.forecasts`. `needs` names the extras without which `parse` refuses.
    """
    first, *rest = description.strip().split("\n\n")
    parser = Parser(
        usage="python %(prog)s [--option value ...]",
        description=first,
        epilog="\n\n".join(rest),
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.needs = needs
    absent: dict[str, Any] = {"default": argparse.SUPPRESS, "metavar": "VALUE"}
    if config:
        parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="YAML", help="settings to start from")
    for short in shortcuts:
        parser.add_argument(f"--{short}", dest=SHORTCUTS[short], help=f"same as --{SHORTCUTS[short]}", **absent)
    for section in sections:
        group = parser.add_argument_group("experiment" if section == "name" else section)
        for name, field in setting_fields():
            if name == section or name.startswith(f"{section}."):
                flag: dict[str, Any] = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
                group.add_argument(f"--{name}", help=_help_text(field), **absent, **flag)
    return parser


def parse(parser: Parser, arguments: list[str] | None = None) -> tuple[argparse.Namespace, Overrides]:
    """The script's own options, and the settings that were given, by dotted name."""
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].lstrip("-").split("=")[0]
        known = [action.option_strings[-1].lstrip("-") for action in parser._actions if action.option_strings]
        hint = nearest(name, known).replace("`", "`--", 1) if unknown[0].startswith("-") else "; `--help` lists all options"
        parser.error(f"there is no option `{unknown[0]}`{hint}")
    require_extras(parser.prog, *parser.needs)
    settings = {name for name, _ in setting_fields()} & set(vars(options))
    overrides = {}
    for name in sorted(settings):
        try:
            overrides[name] = yaml.safe_load(getattr(options, name))
        except yaml.YAMLError:
            overrides[name] = getattr(options, name)  # no YAML, so plain text; validation will judge it
    if overrides.get("env.reward") == ANY_REWARD:
        del overrides["env.reward"]
        overrides["search.any_reward"] = True
    return options, overrides


def positive(text: str) -> int:
    """A count from the command line, for `add_argument(type=...)`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it must be 1 or more, but got {text}")
    return int(text)


def run(main: Callable[[], int], spelling: Spelling = in_a_script) -> NoReturn:
    """Run a script's main function: an input error becomes its one line, Ctrl-C a clean end. Long work on features is shown.

    Args:
        main: returns the exit code.
        spelling: how messages name a setting; `in_training` for a script that takes those of a run.
    """
    with spelled(spelling), progress_shown():
        sys.exit(exit_code(main))


def _help_text(field: FieldInfo) -> str:
    default = _as_text(field.get_default(call_default_factory=True))
    return f"{field.description} (default: {default})".replace("%", "%%")


def _as_text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
