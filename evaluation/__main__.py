"""Audit features, environment and agent for leaks.

    python -m evaluation leak-audit                                   the default experiment, an agent that has learned nothing
    python -m evaluation leak-audit --config configs/coinbase-hourly.yaml --market.file my-candles.csv
    python -m evaluation leak-audit --run runs/default-sortino-001    a run's own features and agent

Replaces or removes the future at many cuts and holds features, fills, rewards and actions up to them against what they were, to
the bit; fits and trains anew on another future. Ends with 0 if nothing leaks, with 1 for a leak, with 2 for wrong input. The test
range is replaced by random candles before anything else, so it stays locked. See docs/leak-audit.md.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents import LearnedAgent, build_learner
from configs import Experiment, load_experiment, make_parser, parse
from envs import BitcoinTradingVecEnv
from evaluation.audit import START_TOLERANCE, AuditReport, another_future, leak_audit, require_room
from evaluation.runs import RunError, require_data_of, write_json
from evaluation.training import train_agent
from features import FeatureMatrix, FeaturePipeline, FittedFeatures
from market import Candles, InputError, Split, exit_code, load_candles, split

COMMAND = "leak-audit"
FIXED_BY_A_RUN = ("market", "split", "features", "agent")
SHOWN_DRIFT = 1e-6
"""scaled units: columns that hardly depend on where the candles begin are counted, not listed"""
CONSOLE = Console(soft_wrap=True, highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 for no leak, 1 for a leak, 2 for wrong input."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    return exit_code(lambda: _run(words))


def _run(words: list[str]) -> int:
    if words[:1] != [COMMAND]:
        raise InputError(f"the command is `python -m evaluation {COMMAND}`, but got {' '.join(words) or 'no word'}; add it")
    options, overrides = parse(_parser(), words[1:])
    experiment = load_experiment(options.config, overrides) if options.run is None else _experiment_of(options.run, overrides)
    candles = load_candles(experiment.market)
    parts = split(candles, experiment.split)
    if options.run is not None:
        require_data_of(options.run, parts)
    require_room(candles, len(parts.train), options.cuts, options.seed)
    shown = _without_test(candles, parts, options.seed)
    report = _audit(experiment, parts, shown, options)
    _print(report)
    if options.out is not None:
        write_json(options.out, _as_json(report))
        CONSOLE.print(f"all of it: {options.out}")
    return 0 if report.passed else 1


def _audit(experiment: Experiment, parts: Split, candles: Candles, options: argparse.Namespace) -> AuditReport:
    """Everything without a cache: it would fill with other futures, and could hide what a second look would see."""
    pipeline = FeaturePipeline(experiment.features)
    fitted = FittedFeatures.load(options.run / "agent") if options.run else None
    agent = LearnedAgent.load(options.run / "agent") if options.run else _newborn(experiment, options.seed)

    def training(candles: Candles, train_bars: int) -> LearnedAgent:
        """A short one: the weights that one rollout and its update give. One look at validation, which so chooses nothing."""
        return train_agent(
            split(candles, experiment.split), features=experiment.features, env=experiment.env, agent=experiment.agent,
            steps=options.train_steps, validations=1, seed=options.seed,
        ).agent  # fmt: skip

    with CONSOLE.status("") as status:
        return leak_audit(
            candles, pipeline, fitted=fitted, train_bars=len(parts.train), env=experiment.env, agent=agent,
            training=training if options.train_steps > 0 else None, cuts=options.cuts, seed=options.seed,
            start_tolerance=options.start_tolerance, on_check=lambda name: status.update(f"{name} ..."),
        )  # fmt: skip


def _newborn(experiment: Experiment, seed: int) -> Callable[[Candles, FeatureMatrix], LearnedAgent]:
    """Makes the configured agent with its first, random weights."""
    made: list[LearnedAgent] = []

    def agent(candles: Candles, matrix: FeatureMatrix) -> LearnedAgent:
        if not made:
            model = build_learner(experiment.agent, BitcoinTradingVecEnv(candles, matrix, experiment.env, n_envs=1), seed)
            made.append(LearnedAgent(model.policy, experiment.agent))
        return made[0]

    return agent


def _without_test(candles: Candles, parts: Split, seed: int) -> Candles:
    """As many bars, with random ones from the end of the validation range on."""
    return another_future(candles, len(parts.validation.candles) - 1, "another market", seed)


def _experiment_of(folder: Path, overrides: dict[str, Any]) -> Experiment:
    """The run's own settings, and other costs or fills if they are asked for."""
    if not (folder / "agent" / "agent.safetensors").exists():
        raise RunError(f"`--run` needs the folder of a trained agent, but {folder} holds none; run `python train.py` first")
    if fixed := [name for name in overrides if name.split(".")[0] in FIXED_BY_A_RUN]:
        raise RunError(f"a run is audited as it was trained, so `{min(fixed)}` cannot be changed; leave it out")
    return load_experiment(folder / "config.yaml", overrides)


def _print(report: AuditReport) -> None:
    CONSOLE.print(report.table())
    _print_drift(report)
    CONSOLE.print(report.verdict)


def _print_drift(report: AuditReport) -> None:
    """The columns whose first rows show where the candles begin."""
    shown = report.drift[report.drift.max(axis=1) > SHOWN_DRIFT]
    table = Table(title="if the candles begin later, scaled units", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("column", no_wrap=True)
    for heading in report.drift.columns:
        table.add_column(str(heading), justify="right")
    for name, row in shown.iterrows():
        table.add_row(str(name), *(f"{figure:.1e}" if figure else "0" for figure in row))
    if len(shown):
        CONSOLE.print(table)
    CONSOLE.print(f"{len(report.drift) - len(shown)} of {len(report.drift)} columns differ by {SHOWN_DRIFT:g} or less")


def _as_json(report: AuditReport) -> dict[str, Any]:
    checks = [asdict(check) | {"verdict": check.verdict} for check in report.checks]
    for check in checks:
        for finding in check["findings"]:
            finding["time"] = None if finding["time"] is None else str(finding["time"])
    drift = {str(name): row.to_dict() for name, row in report.drift.astype(object).where(report.drift.notna(), None).iterrows()}
    return {"subject": report.subject, "verdict": report.verdict, "passed": report.passed, "checks": checks, "drift": drift}


def _parser() -> Any:
    parser = make_parser(__doc__ or "", sections=("market", "split", "features", "env", "agent"))
    parser.prog = f"python -m evaluation {COMMAND}"
    parser.usage = f"{parser.prog} [--option value ...]"
    parser.add_argument("--run", type=Path, metavar="FOLDER", help="audit a run's features and agent instead of new ones")
    parser.add_argument("--cuts", type=int, default=8, metavar="N", help="cuts of the whole series (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of cuts and other futures (default: %(default)s)")
    parser.add_argument(
        "--train-steps", type=int, default=1, metavar="N",
        help="steps of a training that is repeated on other futures, rounded up to a rollout; 0: none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--start-tolerance", type=float, default=START_TOLERANCE, metavar="X",
        help="scaled units that a column may differ by if the candles begin later (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="JSON", help="write all findings and every column's drift there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
