"""Breaks of what is promised of plugins."""

from benchmarks.mutations.patches import Break

KNOWN = "tests/test_plugins_script.py::test_a_plugins_column_reward_and_strategy_are_in_the_run_and_its_backtest"
REFUSED = "tests/test_plugins_script.py::test_a_changed_or_missing_plugin_is_refused_by_name"
SAME_CODE = "tests/test_plugins_script.py::test_an_agent_in_python_is_not_asked_with_other_code_than_it_was_trained_with"
NO_LOOK = "tests/test_plugins_script.py::test_a_faulty_strategy_costs_no_look_at_the_test_range"
NOTHING_STAYS = "tests/common/test_plugins.py::test_a_plugin_that_fails_half_way_leaves_nothing_behind"

BREAKS = (
    Break(
        KNOWN,
        "an indicator of a plugin may be dropped for being correlated",
        "features/pipeline.py",
        "choose_indicators",
        "remain = own | set(choice.kept)",
        "remain = set(choice.kept)",
    ),
    Break(
        KNOWN,
        "a backtest does not load the plugins of its run",
        "backtest.py",
        "main",
        "configs.load_plugins_of(agent_folders(folder)[0], overrides)",
        "agent_folders(folder)",
    ),
    Break(
        REFUSED,
        "a run goes on with other code than it began with",
        "common/plugins.py",
        "_load",
        "if expected is not None and expected != sha256:",
        "if False:",
    ),
    Break(
        REFUSED,
        "a config's own hash of its plugins is not looked at",
        "configs/experiment.py",
        "Experiment._are_loaded",
        "load_plugins(joined(given))",
        "load_plugins(list(joined(given)))",
    ),
    Break(
        SAME_CODE,
        "features that are loaded do not ask for the code of their columns",
        "features/fitted.py",
        "_load_fitted",
        "        require_loaded(code)\n",
        "",
    ),
    Break(
        SAME_CODE,
        "features at hand do not ask for the code of their columns",
        "features/fitted.py",
        "FittedFeatures.transform",
        "        require_loaded(self.code)\n",
        "",
    ),
    Break(
        NO_LOOK,
        "the strategies of plugins first play on the test range",
        "backtest.py",
        "main",
        "    backtest.rehearse(parts, trained, experiment.env, experiment.benchmarks)\n",
        "",
    ),
    Break(
        NO_LOOK,
        "a strategy may have fewer sides than bars",
        "agents/strategies.py",
        "_made",
        "sides > 2 and sides != decisions",
        "sides > 2 and sides > len(candles)",
    ),
    Break(
        NOTHING_STAYS,
        "what a plugin added before it failed stays in the list",
        "common/plugins.py",
        "_Lists.__exit__",
        "_replace(registry, self.before[name])",
        "pass",
    ),
    Break(
        NOTHING_STAYS,
        "the lists are remembered as they are after the plugin, not before it",
        "common/plugins.py",
        "_Lists.__init__",
        "_entries(registry) for name",
        "registry for name",
    ),
)
