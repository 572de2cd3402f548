"""Agents on the command line.

python -m agents show RUN/agent                                            what an agent file holds
python -m agents import-zip MODEL.zip FOLDER --zip-can-run-code            a model of Stable-Baselines3 or its contrib
python -m agents export-zip RUN/agent MODEL.zip --zip-can-run-code         for people who use those

An agent file runs no code when it is read. A .zip can: it holds pickles. Hence the flag.
"""

import argparse
import sys
from pathlib import Path

import yaml
from rich.console import Console

from agents.algorithms import ALGORITHMS
from agents.plugin_kinds import AGENT_KINDS
from common import CommandParser, exit_code, load_plugins

CONSOLE = Console(soft_wrap=True, highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all is well, 2 for wrong input."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    load_plugins(options.plugin, AGENT_KINDS)
    return int(options.run(options))


def _show(options: argparse.Namespace) -> int:
    from agents.learned_agent import LearnedAgent  # here and below, so that the help needs no torch

    agent = LearnedAgent.load(options.agent)
    weights = sum(tensor.numel() for tensor in agent.policy.state_dict().values())
    sees, acts = agent.policy.observation_space.shape, agent.action_space
    CONSOLE.print(f"{agent.settings.algorithm}: sees {sees[0] if sees else 0} numbers, acts in {acts}, {weights:,} weights")
    CONSOLE.print(yaml.safe_dump(agent.settings.model_dump(mode="json"), sort_keys=False).rstrip())
    return 0


def _import(options: argparse.Namespace) -> int:
    from agents.sb3_zip import import_zip

    import_zip(options.zip, options.algorithm, zip_can_run_code=options.zip_can_run_code).save(options.agent)
    CONSOLE.print(f"written: {options.agent}/agent.safetensors")
    return 0


def _export(options: argparse.Namespace) -> int:
    from agents.learned_agent import LearnedAgent
    from agents.sb3_zip import export_zip

    export_zip(LearnedAgent.load(options.agent), options.zip, zip_can_run_code=options.zip_can_run_code)
    CONSOLE.print(f"written: {options.zip}")
    return 0


def _parser() -> CommandParser:
    first, *rest = (__doc__ or "").strip().split("\n\n")
    parser = CommandParser(
        prog="python -m agents", description=first, epilog="\n\n".join(rest), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="what an agent file holds")
    show.add_argument("agent", type=Path, help="folder with an agent.safetensors")
    show.set_defaults(run=_show)
    bring = commands.add_parser("import-zip", help="read a model of Stable-Baselines3 or its contrib; CAN RUN CODE")
    bring.add_argument("zip", type=Path)
    bring.add_argument("agent", type=Path, help="folder to write")
    bring.add_argument("--algorithm", choices=ALGORITHMS, default="recurrent_ppo", help="what saved it (default: %(default)s)")
    bring.set_defaults(run=_import)
    give = commands.add_parser("export-zip", help="write such a model")
    give.add_argument("agent", type=Path, help="folder with an agent.safetensors")
    give.add_argument("zip", type=Path)
    give.set_defaults(run=_export)
    for command in (show, bring, give):
        command.add_argument("--plugin", action="append", default=[], metavar="FILE", help="an algorithm of your own")
    for command in (bring, give):
        command.add_argument("--zip-can-run-code", action="store_true", help="yes, I know that reading a .zip can run code")
    return parser


if __name__ == "__main__":
    sys.exit(main())
