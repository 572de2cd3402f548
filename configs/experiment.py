"""The settings of an experiment, composed from each room's own, and how they are read: defaults < YAML < command line."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from agents import AgentSettings, StrategySettings, TrialSettings
from common import DataHash, InputError, PluginError, Settings, one_line, put_setting
from configs.plugins import KINDS_IN_WORDS, joined, load_plugins
from configs.setting_values import TextLoader, as_meant
from envs import EnvSettings
from features import FeatureSettings
from features.forecasters import CHART_MODELS, OF_CHARTS, OF_RISES, RISES
from market import AnySplit, MarketSettings, Split, SplitSettings, load_candles, load_coins, split, split_coins
from search import SearchSettings
from training import TrainSettings

Overrides = dict[str, Any]
"""values by dotted name, such as `{"env.fee_bps": 5}`"""


class SettingError(InputError):
    """An unknown or invalid setting."""


class Experiment(Settings):
    """Everything that an optimize, train and backtest depend on."""

    plugins: dict[str, str] = Field(default_factory=dict)
    """a file or module of your own, such as my_ideas.py or package.module, whose rewards, indicators, strategies and so on are
    then known by name; may be given several times"""
    name: str = Field("default", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """name of the experiment: its study is NAME-REWARD, its run folders are runs/NAME-REWARD-001 and so on"""
    market: MarketSettings = MarketSettings()
    split: SplitSettings = SplitSettings()
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    env: EnvSettings = EnvSettings()
    agent: AgentSettings = AgentSettings()
    train: TrainSettings = TrainSettings()
    search: SearchSettings = SearchSettings()
    benchmarks: StrategySettings = StrategySettings()

    @field_validator("plugins", mode="before")
    @classmethod
    def _are_loaded(cls, given: object) -> dict[str, str]:
        """Loaded here, before all other settings are checked: these may name what a plugin adds."""
        return load_plugins(joined(given))

    @property
    def study_name(self) -> str:
        """Of the search; the runs' folders begin with it, too."""
        return f"{self.name}-{'all' if self.search.any_reward else self.env.reward}"

    @property
    def trial_settings(self) -> TrialSettings:
        """What a search varies, as configured."""
        return TrialSettings(features=self.features, env=self.env, agent=self.agent)

    def load_split(self) -> Split:
        """The candles, read or simulated, cut into train, validation and test.

        Raises:
            InputError: several files, where one series is needed.
        """
        return split(load_candles(self.market), self.split)

    def load_splits(self) -> AnySplit:
        """The same of several files, too: those of all coins cut at the same times."""
        return split_coins(load_coins(self.market), self.split)

    def with_forecasts(self, **changes: object) -> "Experiment":
        """The same with other settings of the forecasters."""
        forecasts = self.features.forecasts.model_copy(update=changes)
        return self.model_copy(update={"features": self.features.model_copy(update={"forecasts": forecasts})})

    def identity(self, data_sha256: DataHash) -> dict[str, Any]:
        """What two trials must share so that their validation figures can be compared, as JSON values."""
        dump = self._compared({"split", "features", "env"})
        compared = {"steps", "validations", "seed", "folds", "seeds", "objective", "dimensions", "any_reward"}
        budget = self.search.model_dump(mode="json", include=compared)
        kept = self.train.model_dump(mode="json", include={"patience", "caution"})
        return {"data_sha256": data_sha256, **self._plugins, **dump, "search": budget, "train": kept}

    def training_identity(self, data_sha256: DataHash) -> dict[str, Any]:
        """What decides the weights of a training to the bit, as JSON values."""
        dump = self._compared({"split", "features", "env", "agent", "train"})
        del dump["train"]["checkpoint_steps"]  # when they are written changes nothing
        return {"data_sha256": data_sha256, **self._plugins, **dump}

    def _compared(self, groups: set[str]) -> dict[str, Any]:
        """Settings as JSON values, without those that came later and are not used, so that what was made before goes on."""
        dump = self.model_dump(mode="json", include=groups)
        if not self.features.timeframes:
            del dump["features"]["timeframes"], dump["features"]["timeframe_columns"]
        if not self.features.families:
            del dump["features"]["families"]
        models = set(self.features.forecasts.models)
        unused = OF_RISES if not models & set(RISES) else OF_CHARTS if not models & set(CHART_MODELS) else ()
        for name in unused:
            del dump["features"]["forecasts"][name]
        return dump

    @property
    def _plugins(self) -> dict[str, dict[str, str]]:
        """Of an identity; one without plugins is as it was before there were any."""
        return {"plugins": dict(sorted(self.plugins.items()))} if self.plugins else {}


def setting_fields(model: type[Settings] = Experiment, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every single setting below a group, by dotted name."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings):
            yield from setting_fields(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field


def load_experiment(path: Path | None = None, overrides: Overrides | None = None) -> Experiment:
    """Read a YAML of overrides, lay the given ones over it, and validate the whole.

    Raises:
        SettingError: an unreadable file, an unknown name or an invalid value, in one line.
        PluginError: a plugin that is missing, was changed or fails.
    """
    tree = _read_yaml(path) if path else {}
    given = dict(overrides or {})
    if "plugins" in given:
        given["plugins"] = joined(tree.get("plugins"), given["plugins"])
    for name, value in given.items():
        put_setting(tree, name, value)
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        if isinstance(fault := error.errors(include_url=False)[0].get("ctx", {}).get("error"), PluginError):
            raise fault from None
        raise SettingError(_one_line(error, path, overrides or {})) from None


def dump_experiment(experiment: Experiment) -> str:
    """The resolved experiment as YAML, every setting in it."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False)


def nearest(name: str, known: list[str]) -> str:
    """` (did you mean ...?)`, or what there is instead."""
    by_last = {candidate.rsplit(".", 1)[-1]: candidate for candidate in known}
    close = difflib.get_close_matches(name, known, 1, 0.6) or [
        by_last[last] for last in difflib.get_close_matches(name.rsplit(".", 1)[-1], list(by_last), 1, 0.6)
    ]
    return f"; did you mean `{close[0]}`?" if close else "; `--help-all` lists all settings"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = as_meant(yaml.load(path.read_text(), TextLoader), Experiment)
    except FileNotFoundError:
        have = ", ".join(sorted(str(file) for file in Path("configs").glob("*.yaml")))
        raise SettingError(f"there is no config file {path}; there are {have or 'none in configs/'}") from None
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is no readable YAML: {one_line(error)}") from None
    if tree is not None and not isinstance(tree, dict):
        raise SettingError(f"{path} must hold settings by name, such as `env: {{fee_bps: 5}}`, but holds a {type(tree).__name__}")
    return tree or {}


def _one_line(error: ValidationError, path: Path | None, overrides: Overrides) -> str:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    place = (
        "on the command line"
        if any(given == name or given.startswith(f"{name}.") or name.startswith(f"{given}.") for given in overrides)
        else f"in {path}"
    )
    if first["type"] == "extra_forbidden":
        return f"there is no setting `{name}` ({place}){nearest(name, [known for known, _ in setting_fields()])}"
    known_by_plugins = re.match(rf"there is no ({'|'.join(KINDS_IN_WORDS)}) ", first["msg"].removeprefix("Value error, "))
    return wrong_value(error, "; one of your own needs its --plugin" if known_by_plugins else "") + f" ({place})"


def wrong_value(error: ValidationError, hint: str = "") -> str:
    """What is wrong with the first setting that is: its name, the rule and the value; a hint goes behind a rule of our own."""
    first = error.errors(include_url=False)[0]
    name, message = ".".join(str(part) for part in first["loc"]), first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return f"{name}: {message}{hint}" if name else message
    message = message[0].lower() + message[1:]
    return f"`{name}`: {message.replace('input should be', 'must be')}, but got {first['input']!r}"
