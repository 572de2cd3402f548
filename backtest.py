"""Hold a trained agent against everyone else on data that it never saw, and say what that shows.

    python backtest.py                               the newest run
    python backtest.py --run runs/default-sortino-001       a run of several seeds: their ensemble, and each alone
    python backtest.py --env.fee_bps 25              at another cost
    python backtest.py --no-bootstrap                without the intervals, in a quarter of the time
    python backtest.py --walk-forward 4              train anew before each of 4 windows of the test range, too
    python backtest.py --forecasts runs/default-forecast-compare-001     followers of its forecasters play, too

Opens the locked test range, which the ledger studies/test_ledger.jsonl writes down. The verdict and the table are printed;
report.html, metrics.json, net_worth.csv, trades.csv, monthly.csv and the figures go into the run folder. Of a run on several
coins every coin's test range is opened and played: metrics.json holds all of them, and each has a folder in coins/ for the rest.
"""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

import configs
import evaluation
import features
import market
import training
from common import NOT_SEALED, RunError, agent_folders, hash_of, in_training, newest_run, write_json_and_seal
from evaluation import backtest, forecasts, report

if TYPE_CHECKING:
    from agents import Agent
    from features.forecasters import FittedForecaster

ACTIONS = {"env.action_scheme", "env.targets", "env.shorts", "env.max_leverage"}
"""settings that say what an action means"""
OPENINGS, TRIALS = Path("studies/test_ledger.jsonl"), Path("studies/trial_ledger.jsonl")
TABLES = "net_worth.csv, trades.csv, monthly.csv"
CONSOLE = Console(soft_wrap=True, highlight=False)


def main() -> int:
    """Open the test range once, play everyone, write and print what came out."""
    parser = configs.make_parser(__doc__ or "", sections=("env", "benchmarks"), config=False, needs=("train", "report"))
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
    configs.load_plugins_of(agent_folders(folder)[0], overrides)  # before an agent is read, which may use what they add
    trained = evaluation.TrainedRun.load(folder)
    experiment, parts = configs.restore_splits(trained.place, overrides)
    if isinstance(parts, market.CoinSplits) and (options.walk_forward or options.forecasts):
        option = "--walk-forward" if options.walk_forward else "--forecasts"
        raise RunError(f"`{option}` needs a run on one series, but {folder} has {len(parts.coins)} coins; leave it out")
    followed = forecasters_of(options.forecasts, experiment, parts) if options.forecasts else {}
    config_sha256 = hash_of(experiment.model_dump(mode="json"))
    ledgers = market.OpeningLedger(OPENINGS), market.TrialLedger(TRIALS)
    backtest.rehearse(parts, trained, experiment.env, experiment.benchmarks)
    opened = backtest.open_ranges(parts, trained, *ledgers, config_sha256, f"backtest.py {folder}")
    outcomes = [play(coin, trained, experiment, followed, options, folder) for coin in opened]
    given = {"config_sha256": config_sha256, "overrides": overrides}
    about = [{"data_sha256": coin.parts.data_sha256, **given, **coin.as_json()} for coin in opened]
    if isinstance(parts, market.CoinSplits):
        write_coins(folder, list(parts.data_sha256), outcomes, about)
    else:
        write(folder, outcomes[0], about[0])
    return 0


def play(
    coin: "backtest.OpenedRange",
    trained: "evaluation.TrainedRun",
    experiment: configs.Experiment,
    followed: "dict[str, FittedForecaster]",
    options: Namespace,
    folder: Path,
) -> "evaluation.Outcome":
    """Everyone on one coin's test range, and what that shows."""
    test, env = coin.test, experiment.env
    contest = evaluation.Contest.on(test, trained.features, env, experiment.benchmarks, trained.agents, followed)
    walked = walk(experiment, coin.parts, test, options.walk_forward) if options.walk_forward else None
    note = f"Costs: {env.costs_in_words}. Data: {test.candles.source}. Run: {folder.name}."
    notes = (note, *coin.in_words, *(() if trained.sealed else (f"{NOT_SEALED}.",)))
    bootstrap = not options.no_bootstrap
    return evaluation.conclude(contest, coin.trained, coin.openings, bootstrap, walked, notes, coin.other_looks)


def walk(experiment: configs.Experiment, parts: market.Split, test: market.Part, n_windows: int) -> "backtest.WalkForward":
    """Train as the run was trained, before each window."""

    def say(window: int, split: market.Split) -> None:
        CONSOLE.print(f"walk-forward, window {window + 1} of {n_windows}: training on {len(split.train):,} bars")

    def train(split: market.Split) -> "tuple[Agent, features.AnyFeatures]":
        settings = experiment.train
        trained = training.train_agent(
            split, experiment.trial_settings, settings, seed=settings.seed, cache=features.CACHE
        )  # fmt: skip
        return trained.agent, trained.features

    return backtest.walk_forward(parts, test, experiment.env, train, n_windows, say)


def write(folder: Path, outcome: "evaluation.Outcome", about: dict[str, Any]) -> None:
    """All of it into the run folder; the table, the notes and the verdict to the terminal too."""
    write_json_and_seal(folder / "metrics.json", about | backtest.as_json(outcome))
    report.write_files(folder, outcome)
    title = outcome.title + (" (OPTIMISTIC fills)" if outcome.optimistic else "")
    figures = {outcome.shown(name): row for name, row in outcome.figures.items()}
    width = CONSOLE.width if CONSOLE.is_terminal else 80  # what is piped is as wide everywhere
    CONSOLE.print(evaluation.figures_table(figures, title, width))
    tell(outcome)
    CONSOLE.print(f"written: {folder}/report.html, metrics.json, {TABLES}, figures/")


def write_coins(folder: Path, symbols: list[str], outcomes: "list[evaluation.Outcome]", about: list[dict[str, Any]]) -> None:
    """The same of several coins: one file of metrics by symbol, a folder for each coin, and a table with a line for each."""
    metrics = [each | backtest.as_json(outcome) for each, outcome in zip(about, outcomes, strict=True)]
    write_json_and_seal(folder / "metrics.json", {"coins": dict(zip(symbols, metrics, strict=True))})
    places = [report.folder_of_coin(folder, symbol) for symbol in symbols]
    for place, outcome in zip(places, outcomes, strict=True):
        report.write_files(place, outcome)
    CONSOLE.print(report.coins_table(dict(zip(symbols, outcomes, strict=True))))
    for outcome in outcomes:
        CONSOLE.print(f"\n{outcome.title}")
        tell(outcome)
    shown = ", ".join(f"{place}/" for place in places)
    CONSOLE.print(f"\nwritten: {folder}/metrics.json; report.html, {TABLES} and figures/ of each coin in {shown}")


def tell(outcome: "evaluation.Outcome") -> None:
    """The notes and the verdict."""
    CONSOLE.print("\n".join([*outcome.notes, f"Verdict: {outcome.verdict.verdict}. {' '.join(outcome.verdict.reasons)}"]))


def forecasters_of(run: Path, experiment: configs.Experiment, parts: market.AnySplit) -> "dict[str, FittedForecaster]":
    """By the name to show; they must have been trained on the train range of the same split."""
    theirs, on = configs.restore_run(run)
    if (theirs.split, on.data_sha256) != (experiment.split, parts.data_sha256):
        raise RunError(f"forecasters to follow must not know the test range, but those of {run} have other data or another split")
    found = forecasts.trained(run)
    return {fitted.name if place == run else place.name.replace("-", " "): fitted for place, fitted in found.items()}


if __name__ == "__main__":
    configs.run(main, in_training)
