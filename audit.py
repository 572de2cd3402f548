"""Audit features, environment and agent for leaks.

    python audit.py                                   the default experiment, an agent that has learned nothing
    python audit.py --config configs/coinbase-hourly.yaml --market.file my-candles.csv
    python audit.py --run runs/default-sortino-001    a run's own features and agent
    python audit.py --env package.module:make_env --data my-candles.csv    anybody's environment, made of a DataFrame of candles

Replaces or removes the future at many cuts and holds features, fills, rewards and actions up to them against what they were, to
the bit; fits and trains anew on another future. Ends with 0 if nothing leaks, with 1 for a leak, with 2 for wrong input. The test
range is replaced by random candles before anything else, so it stays locked. See docs/leak-audit.md.
"""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

import agents
import configs
import envs
import features
import market
import training
from common import RunError, require_data_of, require_sealed_run, seeds_of, write_json
from evaluation import audit

if TYPE_CHECKING:
    from agents import LearnedAgent
    from evaluation.audit import AuditReport

FIXED_BY_A_RUN = ("market", "split", "features", "agent")
CONSOLE = Console(soft_wrap=True, highlight=False)


def main() -> int:
    """Run the audit; 0 for no leak, 1 for a leak."""
    options, overrides = configs.parse(_parser())
    if options.data is not None:
        overrides["market.file"] = str(options.data)
    if options.env is not None and options.run is not None:
        raise RunError("`--env` audits an environment and `--run` a run's agent in its own; leave one out")
    experiment = _experiment_of(options.run, overrides) if options.run else configs.load_experiment(options.config, overrides)
    candles = market.load_candles(experiment.market)
    parts = market.split(candles, experiment.split)
    if options.run is not None:
        require_sealed_run(options.run)
        require_data_of(options.run, parts.data_sha256)
    audit.require_room(candles, len(parts.train), options.cuts, options.seed)
    shown = _without_test(candles, parts, options.seed)
    report = _audit_env(parts, shown, options) if options.env else _audit(experiment, parts, shown, options)
    _print(report)
    if options.out is not None:
        write_json(options.out, report.as_json())
        CONSOLE.print(f"all of it: {options.out}")
    return 0 if report.passed else 1


def _audit(experiment: configs.Experiment, parts: market.Split, candles: market.Candles, options: Namespace) -> "AuditReport":
    """Everything without a cache: it would fill with other futures, and could hide what a second transform would show."""
    pipeline = features.FeaturePipeline(experiment.features)
    fitted = features.FittedFeatures.load(options.run / "agent") if options.run else None
    agent = agents.LearnedAgent.load(options.run / "agent") if options.run else _untrained(experiment, options.seed)

    def train(candles: market.Candles, train_bars: int) -> "LearnedAgent":
        """A short one: the weights that one rollout and its update give. One validation, which chooses nothing."""
        return training.train_agent(
            market.split(candles, experiment.split), experiment.trial_settings,
            training.TrainSettings(steps=options.train_steps, validations=1), seed=options.seed,
        ).agent  # fmt: skip

    with CONSOLE.status("") as status:
        return audit.leak_audit(
            candles, pipeline, fitted=fitted, train_bars=len(parts.train), env=experiment.env, agent=agent,
            training=train if options.train_steps > 0 else None, strategies=agents.strategies_of(experiment.benchmarks),
            cuts=options.cuts, seed=options.seed, start_tolerance=options.start_tolerance,
            on_check=lambda name: status.update(f"{name} ..."),
        )  # fmt: skip


def _audit_env(parts: market.Split, candles: market.Candles, options: Namespace) -> "AuditReport":
    """Somebody's environment alone."""
    env = audit.imported(options.env)
    with CONSOLE.status("") as status:
        return audit.leak_audit(
            candles, train_bars=len(parts.train), env=env, cuts=options.cuts, seed=options.seed,
            on_check=lambda name: status.update(f"{name} ..."),
        )  # fmt: skip


def _untrained(experiment: configs.Experiment, seed: int) -> "Callable[[market.Candles, features.FeatureMatrix], LearnedAgent]":
    """Makes the configured agent with its first, random weights."""
    made: list[LearnedAgent] = []

    def agent(candles: market.Candles, matrix: features.FeatureMatrix) -> "LearnedAgent":
        if not made:
            env = envs.BitcoinTradingVecEnv(candles, matrix, experiment.env, n_envs=1)
            model = agents.build_learner(experiment.agent, env, seed)
            made.append(agents.LearnedAgent(model.policy, experiment.agent))
        return made[0]

    return agent


def _without_test(candles: market.Candles, parts: market.Split, seed: int) -> market.Candles:
    """As many bars, with random ones from the end of the validation range on."""
    return audit.another_future(candles, len(parts.validation.candles) - 1, "another market", seed)


def _experiment_of(folder: Path, overrides: configs.Overrides) -> configs.Experiment:
    """The run's own settings, and other costs or fills if they are asked for."""
    if not (folder / "agent" / "agent.safetensors").exists():
        remedy = f"name one of its seeds, such as {seeds[0]}" if (seeds := seeds_of(folder)) else "run `python train.py` first"
        raise RunError(f"`--run` needs the folder of a trained agent, but {folder} holds none; {remedy}")
    if fixed := [name for name in overrides if name.split(".")[0] in FIXED_BY_A_RUN]:
        raise RunError(f"a run is audited as it was trained, so `{min(fixed)}` cannot be changed; leave it out")
    return configs.load_experiment(folder / "config.yaml", overrides)


def _print(report: "AuditReport") -> None:
    CONSOLE.print(report.table())
    drift, others = report.drift_table()
    if drift.row_count:
        CONSOLE.print(drift)
    CONSOLE.print(others)
    CONSOLE.print(report.verdict)


def _parser() -> configs.Parser:
    parser = configs.make_parser(__doc__ or "", sections=("market", "split", "features", "env", "agent"))
    parser.add_argument("--run", type=Path, metavar="FOLDER", help="audit a run's features and agent instead of new ones")
    parser.add_argument("--env", metavar="MODULE:FUNCTION", help="audit the environment that the function makes of a DataFrame")
    parser.add_argument("--data", type=Path, metavar="FILE", help="same as --market.file")
    parser.add_argument("--cuts", type=int, default=8, metavar="N", help="cuts of the whole series (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of cuts and other futures (default: %(default)s)")
    parser.add_argument(
        "--train-steps", type=int, default=1, metavar="N",
        help="steps of a training that is repeated on other futures, rounded up to a rollout; 0: none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--start-tolerance", type=float, default=audit.START_TOLERANCE, metavar="X",
        help="scaled units that a column may differ by if the candles begin later (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="JSON", help="write all findings and every column's drift there")
    return parser


if __name__ == "__main__":
    configs.run(main)
