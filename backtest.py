"""Hold a trained agent against buy and hold, RSI divergence and SMA crossover on data that it never saw.

    python backtest.py                               the newest run
    python backtest.py --run runs/default-sortino-001       a run of several seeds: each seed in turn
    python backtest.py --env.fee_bps 25              at another cost
    python backtest.py --forecasts runs/default-forecast-compare-001     followers of its forecasters play, too

Opens the locked test range, which the ledger studies/test_ledger.jsonl writes down. The table is printed; report.html,
metrics.json, trades.csv and the figures go into the run folder.
"""

import json
from pathlib import Path

from rich.console import Console

from agents import LearnedAgent
from configs import Experiment, Overrides, make_parser, parse, restore_run, run
from evaluation import (
    AGENT,
    RunError,
    TestLedger,
    backtest,
    draw_net_worth,
    draw_trades,
    figures_table,
    forecasts,
    hash_of,
    in_words,
    log_growth,
    metrics,
    newest_run,
    oracle_growth,
    seeds_of,
    share_in_words,
    write_json,
    write_report,
)
from features import FittedFeatures
from features.forecasters import FittedForecaster
from market import Split, write_atomically

ACTIONS = {"env.action_scheme", "env.targets", "env.shorts", "env.max_leverage"}
"""settings that say what an action means"""


def main() -> int:
    """Parse the command line and backtest one run."""
    parser = make_parser(__doc__ or "", sections=("env", "benchmarks"), config=False)
    parser.add_argument("--run", type=Path, default=None, help="run folder (default: the newest in runs/)")
    parser.add_argument("--forecasts", type=Path, metavar="RUN", help="run of forecast.py whose forecasters are followed")
    options, overrides = parse(parser)
    folder = options.run or newest_run(Path("runs"))
    for of_seed in seeds_of(folder) or [folder]:
        report(of_seed, overrides, options.forecasts, Console(soft_wrap=True, highlight=False))
    return 0


def report(folder: Path, overrides: Overrides, followed: Path | None, console: Console) -> None:
    """Open the test range, play everyone, write and print the outcome."""
    if not (folder / "agent" / "agent.safetensors").exists():
        raise RunError(f"a backtest needs a trained agent, but {folder} holds none; run `python train.py` first")
    if changed := ACTIONS & overrides.keys():
        raise RunError(
            f"an agent trades by the actions it was trained on, so `{min(changed)}` cannot be changed; train another one"
        )
    experiment, parts = restore_run(folder, overrides)
    agent, features = LearnedAgent.load(folder / "agent"), FittedFeatures.load(folder / "agent")
    forecasters = forecasters_of(followed, experiment, parts) if followed else {}
    trials = trials_before(folder)
    config_sha256 = hash_of(experiment.model_dump(mode="json"))
    ledger = TestLedger(Path("studies/test_ledger.jsonl"))
    part = parts.open_test(ledger, config_sha256, f"backtest.py {folder}")
    episodes = backtest(part, features, experiment.env, experiment.benchmarks, agent, forecasters)
    figures = {name: metrics(episode) for name, episode in episodes.items()}

    test = part.own.index
    title = f"{part.candles.symbol}, test range {test[0]:%Y-%m-%d} to {test[-1]:%Y-%m-%d}"
    title += " (OPTIMISTIC fills)" if episodes[AGENT].optimistic else ""
    pictures = [folder / "figures" / "net_worth.png", folder / "figures" / "trades.png"]
    draw_net_worth(episodes, f"Net worth: {title}", pictures[0])
    draw_trades(episodes[AGENT], f"Trades of the agent: {title}", pictures[1])
    write_atomically(folder / "trades.csv", episodes[AGENT].trades.to_csv(index=False))
    oracle = oracle_growth(part, features, experiment.env)
    words = in_words(figures, test[0], test[-1], episodes[AGENT].optimistic)
    found = share_in_words(log_growth(episodes[AGENT]), oracle)
    openings = ledger.openings(parts.data_sha256)
    honesty = (
        f"The test range of these data has been opened {openings} time{'s' if openings > 1 else ''}; "
        f"{'an unknown number of' if trials is None else trials} trials were searched on them before this agent was trained."
    )
    outcome = {
        "data_sha256": parts.data_sha256, "config_sha256": config_sha256, "overrides": overrides,
        "test_range": {"first": str(test[0]), "last": str(test[-1]), "bars": len(part)},
        "optimistic": episodes[AGENT].optimistic, "test_range_openings": openings, "trials_searched": trials,
        "strategies": figures, "in_words": words, "oracle_log_growth": oracle,
    }  # fmt: skip
    write_json(folder / "metrics.json", outcome)
    costs = f"Costs: {experiment.env.costs_in_words}. Data: {part.candles.source}. Run: {folder.name}."
    write_report(folder / "report.html", title, words, [line for line in (found, honesty, costs) if line], figures, pictures)

    console.print(figures_table(figures, title))
    console.print("\n".join(line for line in (words, found, honesty) if line))
    console.print(f"written: {folder}/report.html, metrics.json, trades.csv, figures/net_worth.png, figures/trades.png")


def forecasters_of(run: Path, experiment: Experiment, parts: Split) -> dict[str, FittedForecaster]:
    """By the name to show; they must have been trained on the train range of the same split."""
    theirs, on = restore_run(run)
    if (theirs.split, on.data_sha256) != (experiment.split, parts.data_sha256):
        raise RunError(f"forecasters to follow must not know the test range, but those of {run} have other data or another split")
    found = forecasts.trained(run)
    return {fitted.name if place == run else place.name.replace("-", " "): fitted for place, fitted in found.items()}


def trials_before(folder: Path) -> int | None:
    """Trials on these data before the run's agent was trained; None if the run has no readable record of it."""
    try:
        return int(json.loads((folder / "training.json").read_text())["origin"]["trials"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    run(main)
