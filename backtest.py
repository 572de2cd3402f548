"""Hold a trained agent against everyone else on data that it never saw, and say what that shows.

    python backtest.py                               the newest run
    python backtest.py --run runs/default-sortino-001       a run of several seeds: their ensemble, and each alone
    python backtest.py --env.fee_bps 25              at another cost
    python backtest.py --no-bootstrap                without the intervals, in a quarter of the time
    python backtest.py --walk-forward 4              train anew before each of 4 windows of the test range, too
    python backtest.py --forecasts runs/default-forecast-compare-001     followers of its forecasters play, too

Opens the locked test range, which the ledger studies/test_ledger.jsonl writes down. The verdict and the table are printed;
report.html, metrics.json, trades.csv, monthly.csv and the figures go into the run folder.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

import configs
import evaluation
import features
import market
import training
from common import NOT_SEALED, RunError, agent_folders, hash_of, in_training, newest_run, write_atomically, write_json_and_seal
from evaluation import backtest, forecasts

if TYPE_CHECKING:
    from agents import Agent
    from features.forecasters import FittedForecaster

ACTIONS = {"env.action_scheme", "env.targets", "env.shorts", "env.max_leverage"}
"""settings that say what an action means"""
OPENINGS, TRIALS = Path("studies/test_ledger.jsonl"), Path("studies/trial_ledger.jsonl")
CONSOLE = Console(soft_wrap=True, highlight=False)


def main() -> int:
    """Open the test range once, play everyone, write and print what came out."""
    parser = configs.make_parser(__doc__ or "", sections=("env", "benchmarks"), config=False)
    parser.add_argument("--run", type=Path, default=None, help="run folder (default: the newest in runs/)")
    parser.add_argument("--forecasts", type=Path, metavar="RUN", help="run of forecast.py whose forecasters are followed")
    parser.add_argument("--walk-forward", type=configs.positive, metavar="N", help="train again before each of N windows")
    parser.add_argument("--no-bootstrap", action="store_true", help="leave the intervals of the figures out")
    options, overrides = configs.parse(parser)
    folder = options.run or newest_run(Path("runs"))
    if changed := ACTIONS & overrides.keys():
        raise RunError(
            f"an agent trades by the actions it was trained on, so `{min(changed)}` cannot be changed; train another one"
        )
    agent_folders(folder)  # before everything that reads an agent is imported
    trained = evaluation.TrainedRun.load(folder)
    experiment, parts = configs.restore_run(trained.place, overrides)
    followed = forecasters_of(options.forecasts, experiment, parts) if options.forecasts else {}
    config_sha256 = hash_of(experiment.model_dump(mode="json"))
    ledger = market.OpeningLedger(OPENINGS)
    test = parts.open_test(ledger, config_sha256, f"backtest.py {folder}", trained.openings_before)
    looks = market.looks_at(parts.test_known_as, ledger, market.TrialLedger(TRIALS))
    contest = evaluation.Contest.on(test, trained.features, experiment.env, experiment.benchmarks, trained.agents, followed)
    walked = walk(experiment, parts, test, options.walk_forward) if options.walk_forward else None
    note = f"Costs: {experiment.env.costs_in_words}. Data: {test.candles.source}. Run: {folder.name}."
    notes = (note, *looks.in_words, *(() if trained.sealed else (f"{NOT_SEALED}.",)))
    outcome = evaluation.conclude(contest, trained, looks.count, not options.no_bootstrap, walked, notes)
    about: dict[str, Any] = {"data_sha256": parts.data_sha256, "config_sha256": config_sha256, "overrides": overrides}
    written = max(trained.openings_before + 1, ledger.written(parts.test_known_as))
    about |= {"test_range_openings": looks.openings, "test_range_looks": looks.count, backtest.WRITTEN: written}
    write(folder, outcome, about | {"trials_searched": trained.trials})
    return 0


def walk(experiment: configs.Experiment, parts: market.Split, test: market.Part, n_windows: int) -> "backtest.WalkForward":
    """Train as the run was trained, before each window."""

    def say(window: int, split: market.Split) -> None:
        CONSOLE.print(f"walk-forward, window {window + 1} of {n_windows}: training on {len(split.train):,} bars")

    def train(split: market.Split) -> "tuple[Agent, features.FittedFeatures]":
        settings = experiment.train
        trained = training.train_agent(
            split, experiment.trial_settings, settings, seed=settings.seed, cache=features.CACHE
        )  # fmt: skip
        return trained.agent, trained.features

    return backtest.walk_forward(parts, test, experiment.env, train, n_windows, say)


def write(folder: Path, outcome: "evaluation.Outcome", about: dict[str, Any]) -> None:
    """All of it into the run folder; the table, the notes and the verdict to the terminal too."""
    write_json_and_seal(folder / "metrics.json", about | backtest.as_json(outcome))
    write_atomically(folder / "trades.csv", outcome.episodes[backtest.AGENT].trades.to_csv(index=False))
    write_atomically(folder / "monthly.csv", outcome.monthly.to_csv(index_label="month"))
    evaluation.draw_figures(outcome, folder / "figures")
    evaluation.write_report(folder / "report.html", outcome)
    title = outcome.title + (" (OPTIMISTIC fills)" if outcome.optimistic else "")
    CONSOLE.print(evaluation.figures_table({outcome.shown(name): row for name, row in outcome.figures.items()}, title))
    CONSOLE.print("\n".join(outcome.notes))
    CONSOLE.print(f"Verdict: {outcome.verdict.verdict}. {' '.join(outcome.verdict.reasons)}")
    CONSOLE.print(f"written: {folder}/report.html, metrics.json, trades.csv, monthly.csv, figures/")


def forecasters_of(run: Path, experiment: configs.Experiment, parts: market.Split) -> "dict[str, FittedForecaster]":
    """By the name to show; they must have been trained on the train range of the same split."""
    theirs, on = configs.restore_run(run)
    if (theirs.split, on.data_sha256) != (experiment.split, parts.data_sha256):
        raise RunError(f"forecasters to follow must not know the test range, but those of {run} have other data or another split")
    found = forecasts.trained(run)
    return {fitted.name if place == run else place.name.replace("-", " "): fitted for place, fitted in found.items()}


if __name__ == "__main__":
    configs.run(main, in_training)
