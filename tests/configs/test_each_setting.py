"""Every setting changes something: a table of another value for each, and what must come out different."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import make_candles, no_features
from trainings import CACHE

from agents import CheckpointFolder, RsiDivergence, SmaCrossover
from common import InputError
from configs import Experiment, load_experiment, setting_fields, unload_plugins
from envs import BitcoinTradingEnv
from features import FeaturePipeline
from features.forecasters import ChartModelSettings, ForecastSettings
from market import CandleError, load_coins, simulate, split, with_external
from search import Objective, judged_by, open_study, run_study
from training import train_agent

CANDLES = simulate("bitcoin", bars=600, seed=0)
BASE = {
    "market.bars": 600, "env.episode_bars": 50, "features.indicators": "rsi,ema_8", "features.volatility_bars": "6,24",
    "features.sarimax.forecast_len": 0,
    "features.forecasts.past_bars": 32, "features.forecasts.future_bars": 2, "features.forecasts.first_fit_bars": 300,
    "features.forecasts.refit_bars": 300, "features.forecasts.ensemble": 1, "features.forecasts.units": 4,
    "features.forecasts.epochs": 2, "features.forecasts.threads": 1,
    "agent.n_envs": 2, "agent.n_steps": 16, "agent.n_minibatches": 1, "agent.n_epochs": 2, "agent.lstm_size": 8,
    "train.steps": 128, "train.validations": 2,
    "search.trials": 4, "search.steps": 128, "search.validations": 2, "search.startup_trials": 1,
    "search.dimensions": "learning_rate,gamma,n_epochs",
}  # fmt: skip
OTHER = {
    "name": "other", "plugins": "each_setting_ideas.py", "features.families": "",
    "market.file": "candles.csv", "market.files": "candles.csv,candles.csv", "market.repair": True, "market.simulate": "ou",
    "market.bars": 700, "market.seed": 1,
    "market.edge": 0.3, "market.params": {"reversion": 0.2}, "market.max_fill": 5, "market.symbol": "ETH/EUR",
    "market.volume": "quote", "market.timezone": "America/New_York", "market.times": "close", "market.dates": "day_first",
    "market.external": {"mood": "mood.csv"},
    "split.train": 0.5, "split.validation": 0.25, "split.purge_bars": 5,
    "features.indicators": "rsi", "features.keep_indicators": 2, "features.scaler": "standard", "features.clip": 1.0,
    "features.differencing": "both", "features.fractional_order": 0.7, "features.fractional_threshold": 1e-2,
    "features.extra": "mood", "features.extra_delay_bars": 2, "features.volumes": False,
    "features.timeframes": "4h,12h", "features.timeframe_columns": "d_log_close,rsi",
    "features.calendar": False, "features.state": True, "features.volatility_bars": "5", "features.window": 2,
    "features.sarimax.forecast_len": 2, "features.sarimax.confidence_interval": 0.5, "features.sarimax.order": "2,0,0",
    "features.sarimax.seasonal_order": "1,0,0,24", "features.sarimax.refit_bars": 100, "features.sarimax.fit_bars": 200,
    "features.forecasts.models": "linear", "features.forecasts.first_fit_bars": 280, "features.forecasts.refit_bars": 100,
    "features.forecasts.ensemble": 2, "features.forecasts.past_bars": 30, "features.forecasts.future_bars": 3,
    "features.forecasts.inputs": "close,volume", "features.forecasts.windows": "disjoint",
    "features.forecasts.target": "price", "features.forecasts.conv_layers": 4, "features.forecasts.units": 5,
    "features.forecasts.activation": "relu", "features.forecasts.dropout": 0.5, "features.forecasts.l1": 0.1,
    "features.forecasts.l2": 0.1, "features.forecasts.regularize": "activity", "features.forecasts.learning_rate": 0.01,
    "features.forecasts.batch_size": 16, "features.forecasts.epochs": 3, "features.forecasts.patience": 1,
    "features.forecasts.seed": 1, "features.forecasts.threads": 2,
    "features.forecasts.rise_bps": 5.0, "features.forecasts.fields": "hour,signs_2", "features.forecasts.field_bins": 3,
    **{f"features.forecasts.interactions.{name}": value for name, value in {
        "k": 3, "optimizer": "sgd", "learning_rate": 0.01, "l2": 0.1, "ftrl_alpha": 0.05, "ftrl_beta": 3.0, "ftrl_l1": 0.5,
        "ftrl_l2": 1.0, "epochs": 3, "patience": 1, "normalize_rows": False, "linear": False, "init_scale": 0.1,
        "batch_size": 16, "hidden_layers": "4", "stop_by": "auc", "cross_layers": 1, "cin_layers": "4", "dropout": 0.5,
        "embedding_rate": 3.0,
    }.items()},
    **{f"features.forecasts.charts.{name}": value for name, value in {
        "bars": 20, "average": False, "volume": False, "optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.1, "decay": 0.1,
        "epochs": 3, "patience": 1, "batch_size": 16, "dropout": "0.1", "filters": 3, "precision": "bfloat16",
    }.items()},
    "env.action_scheme": "targets", "env.targets": "0,0.3,1", "env.fill": "next_close",
    "env.reward": "profit", "env.reward_window": 5, "env.initial_cash": 500.0, "env.fee_bps": 50, "env.half_spread_bps": 50,
    "env.slippage_bps": 50, "env.impact": 1.0, "env.borrow_bps_per_day": 50, "env.funding_bps_per_day": 10,
    "env.min_trade": 4_000, "env.lot": 5.0, "env.shorts": True, "env.max_leverage": 2.0, "env.maintenance_margin": 0.6,
    "env.stop_loss": 0.02, "env.take_profit": 0.02, "env.episode_bars": 20, "env.ruin_fraction": 0.6,
    "env.dataset_sampling": "length",
    "agent.n_envs": 8, "agent.n_steps": 32, "agent.n_minibatches": 2, "agent.n_epochs": 3, "agent.learning_rate": 0.01,
    "agent.gamma": 0.5, "agent.gae_lambda": 0.5, "agent.clip_range": 1e-4, "agent.ent_coef": 0.5, "agent.vf_coef": 0.1,
    "agent.max_grad_norm": 0.01, "agent.sequence_length": 4, "agent.lstm_size": 9, "agent.lstm_layers": 2,
    "agent.algorithm": "ppo", "agent.learning_rate_schedule": "linear", "agent.head_layers": "4,4", "agent.mask_orders": True,
    "agent.replay_steps": 100, "agent.device": "cuda", "agent.threads": 2,
    "train.steps": 256, "train.validations": 1, "train.seed": 1, "train.patience": 1,
    "train.caution": 50.0, "train.checkpoint_steps": 1, "train.range": "train+validation",
    "search.trials": 5, "search.steps": 256, "search.validations": 1, "search.folds": 2, "search.seeds": 2,
    "search.objective": "sharpe", "search.dimensions": "gamma", "search.any_reward": True, "search.sampler": "random",
    "search.startup_trials": 4, "search.pruner": "none", "search.seed": 1, "search.storage": "sqlite:///elsewhere.db",
    "search.heartbeat_seconds": 7, "search.retries": 0,
    "benchmarks.sma_short_bars": 10, "benchmarks.sma_long_bars": 100, "benchmarks.rsi_bars": 5,
    "benchmarks.rsi_lookback_bars": 5,
}  # fmt: skip
CHARTS = {
    "features.forecasts.models": "chart_cnn", "features.forecasts.charts.bars": 5, "features.forecasts.charts.filters": 2,
    "features.forecasts.charts.epochs": 2, "features.forecasts.charts.precision": "float32",
}  # fmt: skip
# What a setting needs beside it to have a meaning.
BESIDE: dict[str, dict[str, Any]] = {
    "market.repair": {"market.file": "candles.csv"}, "market.max_fill": {"market.file": "candles.csv", "market.repair": True},
    **{f"market.{name}": {"market.file": "bare.csv"} for name in ("symbol", "volume", "timezone", "times")},
    "market.dates": {"market.file": "doubtful.csv"}, "market.params": {"market.simulate": "ou"},
    "env.targets": {"env.action_scheme": "targets"},
    "env.borrow_bps_per_day": {"env.shorts": True}, "env.funding_bps_per_day": {"env.shorts": True},
    "agent.replay_steps": {"agent.algorithm": "qr_dqn", "train.steps": 1_024},
    "train.patience": {"train.validations": 4}, "train.caution": {"train.steps": 1_024, "train.validations": 16},
    "train.checkpoint_steps": {"train.validations": 1},
    "search.folds": {"split.train": 0.5, "split.validation": 0.3},
    "env.maintenance_margin": {"env.max_leverage": 1.5},
    "features.fractional_order": {"features.differencing": "fractional", "features.fractional_threshold": 1e-2},
    "features.fractional_threshold": {"features.differencing": "fractional", "features.fractional_order": 0.7},
    "features.families": {"plugins": "each_setting_ideas.py"},
    "features.extra": {"market.external": {"mood": "mood.csv"}},
    "features.extra_delay_bars": {"market.external": {"mood": "mood.csv"}, "features.extra": "mood"},
    "features.timeframe_columns": {"features.timeframes": "2h", "features.timeframe_columns": "d_log_close"},
    "features.keep_indicators": {"features.indicators": "rsi,ema_8,ema_12"},
    **{f"features.sarimax.{name}": {"features.sarimax.forecast_len": 1}
       for name in ("confidence_interval", "order", "seasonal_order")},
    **{f"features.forecasts.{name}": {"features.forecasts.models": "lstm"} for name in ForecastSettings.model_fields
       if name != "models"},
    "features.forecasts.conv_layers": {
        "features.forecasts.models": "cnn", "features.forecasts.past_bars": 70, "features.forecasts.first_fit_bars": 470,
    },
    "features.forecasts.regularize": {"features.forecasts.models": "lstm", "features.forecasts.l2": 1.0},
    "features.forecasts.activation": {
        "features.forecasts.models": "gru", "features.forecasts.target": "price", "features.forecasts.learning_rate": 1.0,
    },
    "features.forecasts.patience": {
        "features.forecasts.models": "gru", "features.forecasts.target": "price", "features.forecasts.learning_rate": 1.0,
        "features.forecasts.epochs": 12,
    },
    **{f"features.forecasts.{name}": {"features.forecasts.models": "fm"} for name in ("rise_bps", "fields", "field_bins")},
    **{f"features.forecasts.interactions.{name}": {
           "features.forecasts.models": model, "features.forecasts.interactions.epochs": 2,
           "features.forecasts.interactions.hidden_layers": "8"}
       for model, names in {
           "fm": ("k", "optimizer", "learning_rate", "l2", "epochs", "normalize_rows", "linear", "init_scale"),
           "deepfm": ("batch_size", "hidden_layers", "dropout", "embedding_rate"),
           "dcn": ("cross_layers",), "xdeepfm": ("cin_layers",)}.items()
       for name in names},
    **{f"features.forecasts.interactions.ftrl_{name}": {
           "features.forecasts.models": "fm", "features.forecasts.interactions.optimizer": "ftrl"}
       for name in ("alpha", "beta", "l1", "l2")},
    "features.forecasts.interactions.stop_by": {
        "features.forecasts.models": "fm", "features.forecasts.interactions.epochs": 10,
        "features.forecasts.interactions.patience": 10, "features.forecasts.interactions.learning_rate": 1.0,
    },
    "features.forecasts.interactions.patience": {
        "features.forecasts.models": "fm", "features.forecasts.interactions.epochs": 10,
        "features.forecasts.interactions.patience": 10, "features.forecasts.interactions.learning_rate": 0.05,
    },
    **{f"features.forecasts.charts.{name}": CHARTS for name in ChartModelSettings.model_fields},
    "features.forecasts.charts.bars": CHARTS | {"features.forecasts.first_fit_bars": 310},
    "features.forecasts.charts.momentum": CHARTS | {"features.forecasts.charts.optimizer": "sgd"},
    "features.forecasts.charts.patience": CHARTS | {
        "features.forecasts.charts.epochs": 10, "features.forecasts.charts.patience": 10,
        "features.forecasts.charts.learning_rate": 0.03,
    },
    "features.forecasts.charts.epochs": CHARTS | {"features.forecasts.charts.learning_rate": 0.1},
    "features.sarimax.refit_bars": {"features.sarimax.forecast_len": 1, "features.sarimax.fit_bars": 150},
    "features.sarimax.fit_bars": {
        "features.sarimax.forecast_len": 1, "features.sarimax.refit_bars": 100, "features.sarimax.fit_bars": 150,
    },
}  # fmt: skip


IDEAS = """
import numpy as np
import pandas as pd
from features import Family
compute = lambda candles, settings, estimates: pd.DataFrame({"three": np.arange(len(candles)) % 3.0}, index=candles.index)
FAMILIES = {"threes": Family(lambda settings: True, lambda settings: 0, compute)}
"""


def of_plugins(experiment: Experiment):
    return experiment.training_identity("data").get("plugins")


def of_name(experiment: Experiment):
    return experiment.study_name


def of_market(experiment: Experiment):
    try:
        coins = load_coins(experiment.market)
    except CandleError:
        return "refused"
    return [(candles.sha256, candles.symbol) for candles in coins]


def of_split(experiment: Experiment):
    parts = split(CANDLES, experiment.split)
    return [(part.start, len(part.candles)) for part in (parts.train, parts.validation)] + [parts._test_start]


def of_features(experiment: Experiment):
    threads, set_threads = list[int](), torch.set_num_threads

    def noted(count):
        threads.append(count)
        set_threads(count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "set_num_threads", noted)
        candles = with_external(CANDLES, experiment.market.external)
        values = FeaturePipeline(experiment.features).fit(candles).transform(candles).values
    return values.tobytes(), threads


def of_env(experiment: Experiment):
    """Three series, so that sampling matters; falling, so that ruin does."""
    rng = np.random.default_rng(0)
    series = [make_candles(list(100 * np.exp(np.cumsum(rng.normal(-0.03, 0.03, bars))))) for bars in (400, 60, 60)]
    env = BitcoinTradingEnv(series, [no_features(candles) for candles in series], experiment.env)
    env.action_space.seed(0)
    record = []
    for episode in range(4):
        record.append(str(env.reset(seed=0 if episode == 0 else None)[1]))
        over = False
        while not over:
            _, reward, terminated, truncated, info = env.step(env.action_space.sample())
            over = terminated or truncated
            record.append(f"{reward} {terminated} {truncated} {info['net_worth']}")
    return record


def of_agent(experiment: Experiment):
    settings, kept = experiment.train, CheckpointFolder(Path("checkpoints"), {})
    try:
        trained = train_agent(
            split(CANDLES), experiment.trial_settings, settings, seed=settings.seed, cache=CACHE, checkpoints=kept
        )
    except InputError as error:
        return str(error)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    weights = [tensor.cpu().numpy().tobytes() for tensor in trained.agent.policy.state_dict().values()]
    return [str(trained.history), threads, *weights, *sorted(path.name for path in kept.folder.glob("*"))]


def of_search(experiment: Experiment):
    """Of two settings it is the storage that must know them: how long a killed worker is waited for, how often it is retried."""
    study = open_study(experiment.search, experiment.study_name, experiment.identity(""), experiment.trial_settings)
    run_study(
        study, Objective(split(CANDLES, experiment.split), experiment.trial_settings, experiment.train, experiment.search, CACHE)
    )
    trials = [(trial.params, trial.state.name, list(trial.intermediate_values)) for trial in study.trials]
    storage: Any = getattr(study._storage, "_backend")  # noqa: B009
    watched = storage.heartbeat_interval, storage._retry._max_retry
    return trials, watched, judged_by(study), sorted(str(path) for path in Path().rglob("*.db"))


def of_benchmarks(experiment: Experiment):
    settings = experiment.benchmarks
    sma = SmaCrossover(CANDLES, 0, settings.sma_short_bars, settings.sma_long_bars)
    return sma.sides.tobytes(), RsiDivergence(CANDLES, 0, settings.rsi_bars, settings.rsi_lookback_bars).sides.tobytes()


BEFORE: dict = {}
OUTCOME = {
    "name": of_name, "plugins": of_plugins,
    "market": of_market, "split": of_split, "features": of_features, "env": of_env, "agent": of_agent,
    "train": of_agent, "search": of_search, "benchmarks": of_benchmarks,
}  # fmt: skip


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """A folder with a candle file that has a gap."""
    monkeypatch.chdir(tmp_path)
    rows = [f"2020-01-0{day} {hour:02d}:00,BTCUSD,1,1,1,1,1,1" for day in (1, 2, 4) for hour in range(24)]
    Path("candles.csv").write_text("\n".join(["Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo", *rows]))
    Path("each_setting_ideas.py").write_text(IDEAS)
    moods = pd.DataFrame({"time": CANDLES.index.tz_localize(None), "mood": np.sin(np.arange(len(CANDLES)))})
    moods.to_csv("mood.csv", index=False)
    for name, day in (("bare.csv", "2020-01-01"), ("doubtful.csv", "01/02/2020")):
        rows = [f"{day} {hour:02d}:00,2,2,2,2,1" for hour in range(24)]
        Path(name).write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]))


def test_the_table_holds_every_setting():
    assert set(OTHER) == {name for name, _ in setting_fields()}


LONG = ("search.", "features.forecasts.", "agent.replay_steps")
"""settings whose trainings take a second or more each"""


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name.startswith(LONG) else ()) for name in OTHER])
def test_each_setting_changes_something(name, tmp_path, monkeypatch):
    base = BASE | BESIDE.get(name, {})
    outcome = OUTCOME[name.split(".")[0]]

    def come_to(overrides):
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        place.mkdir()
        unload_plugins()
        for file in [*tmp_path.glob("*.csv"), *tmp_path.glob("*.py")]:
            (place / file.name).write_bytes(file.read_bytes())
        monkeypatch.chdir(place)
        return outcome(load_experiment(None, overrides))

    key = outcome, str(base)  # most settings start from the same, which need not be tried again
    if key not in BEFORE:
        BEFORE[key] = come_to(base)
    assert come_to(base | {name: OTHER[name]}) != BEFORE[key]
