"""The leak audit: holds a user's own pipeline, environment and agent against other futures, and says what came of it.

`python audit.py` is the same as a command. See docs/leak-audit.md.
"""

import time
from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

from common import InputError
from envs import EnvSettings
from evaluation.audit.agents import Training, causal_agent, frozen_agent, trained_on_train_alone
from evaluation.audit.alone import candles_alone
from evaluation.audit.environments import computes_its_own_rows, kept_global_state
from evaluation.audit.external import External, checked_external, extra_series, known_in_time
from evaluation.audit.fills import next_bar_fills
from evaluation.audit.first_row import require_first_row
from evaluation.audit.folds import has_folds, out_of_fold
from evaluation.audit.foreign import PartError, UnplayableError, in_one_line, on_true_candles
from evaluation.audit.futures import plain, require_room
from evaluation.audit.pipelines import as_pipeline
from evaluation.audit.report import AuditReport, Check, Tally
from evaluation.audit.rows import Scene, aligned_rows, causal_features, fitted_on_train_alone, pure_transform
from evaluation.audit.stage import AgentFactory, EnvFactory, Stage
from evaluation.audit.starts import drift_of_starts, lookback_enough
from evaluation.audit.strategies import Strategies, causal_strategies
from evaluation.audit.subjects import Fitted
from evaluation.audit.tolerances import START_TOLERANCE
from evaluation.audit.trading import causal_env
from features import FeaturePipeline
from market import Candles

PROMISES = {
    "fitted on train": "what is estimated, and every row, is the same whatever follows the train range",
    "out of fold": "a walk-forward forecast comes from models that had not seen the bars after it, on train as well",
    "aligned rows": "there is one row a candle after the warm-up, labelled with that candle's time",
    "causal features": "no row changes when the candles after it are replaced or removed",
    "pure transform": "a transform changes nothing that was fitted, and repeats to the bit",
    "start dates": "how far columns depend on where the candles begin",
    "look-back": "the newest row comes from the stated look-back alone",
    "candles alone": "every column is made of candles and the clock, not looked up elsewhere",
    "known in time": "no external series moves with what the market does after its time",
    "causal env": "observations, rewards and accounts do not change when the candles after them do",
    "next-bar fills": "orders fill at a price of the bar after the decision, and earn what that bar does, up and down alike",
    "causal agent": "actions and memory do not change when the candles after them do",
    "frozen agent": "an evaluation changes no weight, and repeats to the bit",
    "causal strategies": "what a strategy made of all candles decides at a bar does not change when the candles after it do",
    "trained on train": "the same weights come out whatever follows the train range",
}


def leak_audit(
    candles: Candles,
    pipeline: Any = None,
    *,
    fitted: Fitted | None = None,
    external: External | None = None,
    train_bars: int | None = None,
    env: EnvSettings | EnvFactory | None = None,
    agent: Any | AgentFactory | None = None,
    training: Training | None = None,
    strategies: Strategies | None = None,
    cuts: int = 8,
    seed: int = 0,
    start_tolerance: float = START_TOLERANCE,
    only: Collection[str] = (),
    on_check: Callable[[str], None] = lambda name: None,
) -> AuditReport:
    """Replace the future at many cuts, and hold everything up to them against what it was, to the bit.

    All candles are used as they are: whoever keeps a test range replaces it first, as the command does (`another_future`).

    Args:
        candles: train and what follows it; at least 50 bars of each.
        pipeline: a function of candles, or of their DataFrame, that gives the rows; a DataFrame of rows; something with
            `transform`; or something whose `fit` returns that, or itself. `fit(train)` gets the train bars; a `fit(candles,
            train_bars)` gets all, and is trusted with nothing. `transform(candles)` gives a `FeatureMatrix`, a DataFrame or an
            array, whose rows are the candles' last ones. An `out_of_fold(candles)` beside it gives the columns, a DataFrame, that
            are walk-forward on train. The default is `FeaturePipeline()`.
        fitted: what `fit` returned once; without a `pipeline` beside it, what it was fitted on is not audited.
        train_bars: bars that the pipeline is fitted on; 60 % of all by default.
        external: series or DataFrames beside the candles, by name; the index is the time (UTC) at which each value is known. A
            `fit`, a `transform` or a function with an argument `external` gets them.
        env: `EnvSettings`; or `(candles, FeatureMatrix) -> gymnasium.Env`, whose episode begins at the first row; or
            `(DataFrame) -> gymnasium.Env`, which computes its own observations, and whose episode begins at any bar that its seed
            gives; or an environment that tells what it was made of. Vectorised ones of Stable-Baselines3, too. None: no audit of
            fills, environment and agent.
        agent: anything with `predict`, or `(candles, FeatureMatrix) -> agent`. None: no audit of an agent.
        training: `(candles, train_bars) -> agent`, or whatever holds the weights; trained four times.
        strategies: by name, `candles -> strategy` of those that are made of all candles at once, as `SignalStrategy`.
        cuts: of the whole series; 24 times as many on short stretches.
        seed: of the cuts, the other futures and the random actions.
        start_tolerance: a column that differs by more, in scaled units, if the candles begin later, is named in a note.
        only: names of the checks to be made; all by default.
        on_check: called with the name of each check when it begins.

    Raises:
        InputError: too few candles, or parts that do not fit together.
    """
    train_bars = round(0.6 * len(candles)) if train_bars is None else train_bars
    require_room(candles, train_bars, cuts, seed)
    alone = pipeline is None and fitted is None and computes_its_own_rows(env)
    if pipeline is None and fitted is None:
        pipeline = (lambda candles: candles.frame[["close"]]) if alone else FeaturePipeline()
    if unknown := [name for name in only if name not in PROMISES]:
        raise InputError(f"there is no check {unknown[0]!r}; there are {', '.join(PROMISES)}")
    began, audit, series = time.monotonic(), _Audit(on_check, only), checked_external(external)
    beside = (series or {}) | extra_series(candles, pipeline)
    if pipeline is not None:
        pipeline, made = as_pipeline(pipeline, candles)
        fitted = made if fitted is None else fitted
    with on_true_candles():
        scene = Scene(plain(candles), train_bars, pipeline, cuts, seed, fitted, series)
    rows = None if alone else scene
    audit.run("fitted on train", fitted_on_train_alone, scene if pipeline is not None else None)
    audit.run("out of fold", out_of_fold, scene if has_folds(scene) else None)
    audit.run("aligned rows", aligned_rows, rows)
    audit.run("pure transform", pure_transform, rows)
    audit.run("causal features", causal_features, rows)
    drift = audit.run("start dates", drift_of_starts, rows, start_tolerance)
    audit.run("look-back", lookback_enough, scene if hasattr(scene.fitted, "lookback") else None)
    audit.run("candles alone", candles_alone, rows)
    if series is not None or beside:
        audit.run("known in time", known_in_time, beside, scene.candles)
    with kept_global_state():
        stage = _staged(scene, env, agent) if env is not None and audit.clean("aligned rows") else None
        playing = stage if agent is not None else None
        audit.run("causal env", causal_env, stage)
        audit.run("next-bar fills", next_bar_fills, stage if audit.located() else None)
        audit.run("causal agent", causal_agent, playing if audit.located() else None)
        audit.run("frozen agent", frozen_agent, playing if audit.located() else None)
    audit.run("trained on train", trained_on_train_alone, scene if training is not None else None, training)
    if strategies:
        audit.run("causal strategies", causal_strategies, scene, strategies)
    span = f"{candles.index[0]:%Y-%m-%d %H:%M} to {candles.index[-1]:%Y-%m-%d %H:%M}"
    subject = f"{candles.source}: {len(candles):,} bars, {span}; train is the first {train_bars:,}"
    drift = pd.DataFrame() if drift is None else drift
    untold = ("trained on train",) if agent is not None and training is None and not only else ()
    return AuditReport(subject, tuple(audit.checks), drift, time.monotonic() - began, untold)


def _staged(scene: Scene, env: EnvSettings | EnvFactory, agent: Any) -> Stage | PartError:
    """What is played, or what a part of it raised on other candles alone."""
    try:
        stage = Stage(scene, env, agent)
        require_first_row(stage)
        return stage
    except PartError as error:
        return error


class _Audit:
    """Runs checks one after the other, and keeps what they found."""

    def __init__(self, on_check: Callable[[str], None], only: Collection[str]) -> None:
        self.checks: list[Check] = []
        self._only = only
        self._on_check = on_check
        self._unplayable = False

    def run(self, name: str, examine: Callable[..., Any], subject: object, *more: object) -> Any:
        """What `examine(subject, *more, tally)` returns; a check without a subject is listed as not made.

        What worked on the true candles and fails on others can't be judged any further, and that is a finding. So a subject may
        be the error that was raised while it was made.
        """
        tally, began, outcome = Tally(name), time.monotonic(), None
        subject = None if self._only and name not in self._only else subject
        if isinstance(subject, PartError):
            tally.found("error", f"on other candles: {in_one_line(subject)}")
            self._unplayable = True
        elif subject is not None:
            self._on_check(name)
            try:
                outcome = examine(subject, *more, tally)
            except UnplayableError:
                raise
            except (ValueError, LookupError, ArithmeticError) as error:
                tally.found("error", f"on other candles: {in_one_line(error)}")
        seconds = time.monotonic() - began
        self.checks.append(
            Check(
                name=name,
                promise=PROMISES[name],
                cases=tally.cases,
                findings=tally.findings,
                notes=tuple(tally.notes),
                made=subject is not None,
                seconds=seconds,
                unjudged=tally.unjudged,
            )
        )
        return outcome

    def located(self) -> bool:
        """Whether it is known what an environment shows when; where it sees far ahead, nothing else can be judged."""
        return not self._unplayable and not any(
            finding.column == "observation" for check in self.checks for finding in check.findings
        )

    def clean(self, name: str) -> bool:
        return not any(check.findings for check in self.checks if check.name == name)
