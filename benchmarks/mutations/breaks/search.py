"""Breaks of what is promised of `search`, and of the settings that a training takes from it."""

from benchmarks.mutations.patches import Break

TEST_RANGE = "tests/search/test_objective.py::test_the_test_range_changes_nothing"
ONE_FIGURE = "tests/search/test_objective.py::test_trials_of_different_rewards_are_compared_by_the_same_figure"
NAMED = "tests/search/test_objective.py::test_a_trial_is_judged_by_the_named_figure"
FINITE = "tests/search/test_objective.py::test_every_figure_of_a_trial_is_finite"
KEEPS = "tests/search/test_objective.py::test_a_trial_keeps_by_the_rule_of_the_training"
REACHES = "tests/search/test_objective.py::test_each_searched_dimension_reaches_the_agent"
WHOLE = "tests/configs/test_from_study.py::test_the_settings_are_taken_whole_from_the_best_trial"
COUNTED = "tests/search/test_overfitting.py"
EACH_SETTING = "tests/configs/test_each_setting.py"
AS_IT_STANDS = "tests/configs/test_experiment.py::test_a_text_setting_takes_the_text_as_it_stands"
TWICE = "tests/configs/test_experiment.py::test_an_option_given_twice_is_refused"
OWN_SETTINGS = "tests/configs/test_from_study.py::test_a_study_goes_on_with_its_own_settings"

BREAKS = (
    Break(
        COUNTED,
        "trials of a study that was deleted are forgotten",
        "search/overfitting.py",
        "searched_before",
        "known = ledger.ids(validated)",
        "known = {trial.id for trial, _ in found}",
        only="::test_a_deleted_study_keeps_the_count",
    ),
    Break(
        COUNTED,
        "a finished trial is not written down",
        "search/overfitting.py",
        "write_down_trial",
        "if trial.state in FINISHED:",
        "if trial.state not in FINISHED:",
        only="::test_another_storage_keeps_the_count",
    ),
    Break(
        TEST_RANGE,
        "the last window of a search goes on to the end of the candles",
        "market/splitting.py",
        "Split.walk_forward",
        "+ [first + own]",
        "+ [len(self._candles)]",
    ),
    Break(
        TEST_RANGE,
        "the features of a training are fitted on all candles",
        "training/training_loop.py",
        "train_agent",
        ".fit_coins(train_candles)",
        ".fit_coins([coin._candles for coin in coins])",
    ),
    Break(
        ONE_FIGURE,
        "trials of one reward count double",
        "search/objective.py",
        "Objective.__call__",
        "return float(np.mean([training.figure for training in trainings]))",
        'double = 2 if trial.params.get("reward") == "profit" else 1\n'
        "        return double * float(np.mean([training.figure for training in trainings]))",
        only="[log_growth]",
    ),
    Break(
        ONE_FIGURE,
        "the pruner is told the figure that has the reward's name, where there is one",
        "search/objective.py",
        "_TrialListener.on_validation",
        "figure_of(episode, self._search.objective)",
        'figure_of(episode, "calmar" if self._trial.params["reward"] == "calmar" else self._search.objective)',
        only="[trades]",
    ),
    Break(
        NAMED,
        "a trial is judged by the log growth of its agent, whatever was named",
        "search/objective.py",
        "Objective.__call__",
        "np.mean([training.figure for training in trainings])",
        "np.mean([training.kept.log_growth for training in trainings if training.kept])",
    ),
    Break(
        NAMED,
        "the fees are counted without those of the last trade",
        "evaluation/statistics/figures_of_merit.py",
        "metrics",
        'episode.table["fees"].iloc[-1]',
        'episode.trades["fee"].iloc[:-1].sum()',
    ),
    Break(
        FINITE,
        "an undefined ratio stays undefined",
        "search/objective.py",
        "figure_of",
        "return 0.0 if value is None else float(value)",
        "return math.nan if value is None else float(value)",
    ),
    Break(
        FINITE,
        "a loss of everything has the logarithm of 0",
        "evaluation/statistics/figures_of_merit.py",
        "log_growth",
        "max(worth.iloc[-1] / worth.iloc[0], RUIN)",
        "worth.iloc[-1] / worth.iloc[0]",
    ),
    Break(
        KEEPS,
        "the trainings of a search know no caution",
        "search/settings.py",
        "SearchSettings.training",
        '"range": "train"',
        '"range": "train", "caution": 0.0',
    ),
    Break(
        KEEPS,
        "a trial keeps the best figure of its curve",
        "search/objective.py",
        "_Training.add",
        "if validation.best:",
        "if figure == max(self.curve.values()):",
    ),
    Break(
        REACHES,
        "a trial trains with the configured settings",
        "search/objective.py",
        "Objective.__call__",
        "train_agent(part, settings, self.train",
        "train_agent(part, self.base, self.train",
        only="[gamma]",
    ),
    Break(
        REACHES,
        "`gae_lambda` is not passed on to the learner",
        "agents/algorithms.py",
        "_a2c_arguments",
        '"gae_lambda", ',
        "",
        only="[gae_lambda]",
    ),
    Break(
        REACHES,
        "rewards are scaled by the default discount",
        "agents/algorithms.py",
        "build_learner",
        "norm_reward=True, gamma=settings.gamma",
        "norm_reward=True",
        only="[gamma]",
    ),
    Break(
        REACHES,
        "another reward sets the window back",
        "agents/search_space.py",
        "_env",
        'lambda value, _: {f"env.{name}": value}',
        'lambda value, _: {f"env.{name}": value} | ({"env.reward_window": 32} if name == "reward" else {})',
        only="[reward]",
    ),
    Break(
        WHOLE,
        "of a trial the agent alone is taken",
        "configs/from_study.py",
        "take_trial",
        'settings = settings_of(trial).model_dump(mode="json")',
        'settings = settings_of(trial).model_dump(mode="json", include={"agent"})',
    ),
    Break(
        WHOLE,
        "the config file wins over the trial",
        "configs/from_study.py",
        "take_trial",
        'taken = load_experiment(config, {**settings, **overrides, "plugins": own})',
        "plain = load_experiment(config)\n"
        '    mine = {f"agent.{name}": value for name, value in plain.agent if value != type(plain.agent)().model_dump()[name]}\n'
        "    taken = load_experiment(config, {**settings, **mine, **overrides})",
    ),
    Break(
        WHOLE,
        "the first trial is taken for the best",
        "configs/from_study.py",
        "take_trial",
        "best_trial(found) if number is None",
        "next((one for one in found.trials if has_settings(one)), None) if number is None",
    ),
    Break(
        EACH_SETTING,
        "the weight of the value loss is not passed on",
        "agents/algorithms.py",
        "_a2c_arguments",
        '"vf_coef", ',
        "",
        only="::test_each_setting_changes_something[agent.vf_coef]",
    ),
    Break(
        EACH_SETTING,
        "a training never runs out of patience",
        "training/training_loop.py",
        "_ValidationCallback.out_of_patience",
        "patience = self._settings.patience",
        "patience = 0",
        only="::test_each_setting_changes_something[train.patience]",
    ),
    Break(
        AS_IT_STANDS,
        "an option's text is YAML",
        "configs/setting_values.py",
        "from_command_line",
        "else text, annotation)",
        "else yaml.safe_load(text), annotation)",
    ),
    Break(
        AS_IT_STANDS,
        "a text that reads as a number becomes one",
        "configs/setting_values.py",
        "as_meant",
        "_number(written) if kind in (int, float) else written",
        "_number(written)",
    ),
    Break(
        TWICE,
        "the last of two values is taken",
        "common/command_line.py",
        "_Once.__call__",
        "if option_string and self.dest in given:",
        "if option_string and self.dest in given and values is None:",
    ),
    Break(
        TWICE,
        "only options that say how they are stored are looked at",
        "common/command_line.py",
        "CommandParser.__init__",
        'for name in (None, "store"):',
        'for name in ("store",):',
    ),
    Break(
        OWN_SETTINGS,
        "a study does not keep which market it is of",
        "configs/from_study.py",
        "kept_of",
        'exclude={"search": {"storage"}}',
        'exclude={"search": {"storage"}, "market": True}',
    ),
    Break(
        OWN_SETTINGS,
        "the costs that a study was begun with are forgotten",
        "configs/from_study.py",
        "experiment_of_study",
        '{**begun.model_dump(mode="json"), **overrides, ',
        '{**begun.model_dump(mode="json", exclude={"env"}), **overrides, ',
    ),
)
