"""Breaks of what is promised of the scripts."""

from benchmarks.mutations.patches import Break

LOCKED = "tests/test_audit_script.py::test_the_test_range_stays_locked"
LIGHT = "tests/test_rooms.py::test_what_is_not_needed_is_not_imported"
SAME = "tests/test_scripts.py::test_the_same_command_on_the_same_data_gives_the_same_files"
CTRL_C = "tests/test_scripts.py::test_ctrl_c_ends_a_search_cleanly_and_it_goes_on_later"
KILLED_WORKER = "tests/test_optimize_script.py::test_a_killed_worker_costs_its_search_nothing_but_time"
DASK = "tests/search/test_workers.py::test_a_search_on_dask_and_postgres_survives_a_killed_worker"
COMPARISON = "tests/test_forecast_script.py::test_a_comparison_that_is_killed_goes_on_with_the_same_weights"

CORE = "tests/common/test_extras.py::test_the_environment_its_features_and_the_benchmarks_need_no_extra"
EXTRA = "tests/common/test_extras.py::test_a_script_without_its_extra_says_so_in_one_line"
HIDDEN = "tests/test_coindojo_rooms.py::test_a_room_hidden_by_a_module_of_the_same_name_is_named_with_both_places"
READ_ONLY = "tests/common/test_compiling.py::test_every_room_works_and_says_once_that_nothing_is_kept"

BREAKS = (
    Break(
        CORE,
        "the leak audit imports torch",
        "evaluation/audit/compare.py",
        "",
        "import pandas as pd\n",
        "import pandas as pd\nimport torch\n",
    ),
    Break(
        CORE,
        "the scalar environment imports what draws it",
        "envs/gymnasium_env.py",
        "",
        "from envs.playthrough import ledger\n",
        "from envs.playthrough import ledger\nfrom envs.rendering import line\n",
    ),
    Break(
        EXTRA,
        "a script looks for no package before it begins",
        "configs/command_line.py",
        "parse",
        "require_extras(parser.prog, *parser.needs)",
        "pass",
    ),
    Break(
        EXTRA,
        "a missing package is looked for under the extras that are not asked for",
        "common/extras.py",
        "require_extras",
        "if find_spec(package) is None]",
        "if find_spec(package) is not None]",
    ),
    Break(
        HIDDEN,
        "nobody looks whether a room is hidden",
        "coindojo_rooms.py",
        "open_room",
        'require_our_rooms(ROOMS[: ROOMS.index(package.partition(".")[0])])',
        "pass",
    ),
    Break(
        HIDDEN,
        "our own place is left out",
        "coindojo_rooms.py",
        "require_our_rooms",
        "`{room}` from {ROOT / room},",
        "`{room}`,",
    ),
    Break(
        READ_ONLY,
        "numba's refusal to keep a cache ends the import",
        "common/compiling.py",
        "cached",
        'if "cannot cache" not in str(error):',
        "if True:",
    ),
    Break(
        READ_ONLY,
        "it is said of every function",
        "common/compiling.py",
        "",
        "@cache\n",
        "",
    ),
    Break(
        LOCKED,
        "the audit is made on the real bars of the test range",
        "audit.py",
        "_without_test",
        'return audit.another_future(candles, len(parts.validation.candles) - 1, "another market", seed)',
        "return candles",
    ),
    Break(
        LOCKED,
        "an audit opens the test range through the ledger",
        "audit.py",
        "main",
        "shown = _without_test(",
        'parts.open_test(market.OpeningLedger(Path("studies/test_ledger.jsonl")), "audit", "audit.py")\n'
        "    shown = _without_test(",
    ),
    Break(
        LIGHT,
        "the environment brings Stable-Baselines3's kind with it",
        "envs/registration.py",
        "register",
        "    if ",
        "    import stable_baselines3.common.vec_env\n\n    if ",
    ),
    Break(
        LIGHT,
        "the settings of the agent are checked with torch",
        "agents/settings.py",
        "",
        "from agents.algorithms import ALGORITHMS\n",
        "import torch\n\nfrom agents.algorithms import ALGORITHMS\n",
    ),
    Break(
        SAME,
        "metrics.json says when the backtest was made",
        "backtest.py",
        "write",
        "about | backtest.as_json(outcome)",
        'about | {"made": __import__("time").strftime("%Y-%m-%d %H:%M:%S")} | backtest.as_json(outcome)',
        only="[run_here]",
    ),
    Break(
        SAME,
        "the order of the sequences is drawn from the system's entropy",
        "agents/recurrent_ppo.py",
        "RecurrentPPO._setup_model",
        "np.random.default_rng(self.seed)",
        "np.random.default_rng()",
        only="[run_here]",
    ),
    Break(
        SAME,
        "the intervals of a backtest are drawn from the system's entropy",
        "evaluation/statistics/bootstrap_intervals.py",
        "intervals",
        "np.random.default_rng(seed)",
        "np.random.default_rng()",
        only="[run_as_process]",
    ),
    Break(
        CTRL_C,
        "the trial that was interrupted is not put in line again",
        "search/study.py",
        "_figure_of",
        '        study.enqueue_trial({**held.system_attrs.get("fixed_params", {}), **held.params})  # it has not been tried\n',
        "        _ = held\n",
    ),
    Break(
        CTRL_C,
        "an interrupted search ends as one that is done",
        "optimize.py",
        "run_search",
        "return 130",
        "return 0",
    ),
    Break(
        KILLED_WORKER,
        "the trial of a killed worker is made with other parameters",
        "search/storage.py",
        "StudyStorage.retry",
        "self._retry(study, trial)",
        "study.enqueue_trial({}, user_attrs=trial.user_attrs)",
    ),
    Break(
        KILLED_WORKER,
        "a trial of a killed worker is failed, and not tried again",
        "search/storage.py",
        "StudyStorage.retry",
        "self._retry(study, trial)",
        "pass",
    ),
    Break(
        DASK,
        "the trial of a killed worker is made with other parameters",
        "search/storage.py",
        "StudyStorage.retry",
        "self._retry(study, trial)",
        "study.enqueue_trial({}, user_attrs=trial.user_attrs)",
    ),
    Break(
        DASK,
        "the one who began the search is told nothing",
        "search/workers.py",
        "run_on_dask",
        "                meanwhile()\n",
        "                pass\n",
    ),
    Break(
        COMPARISON,
        "the moments of Adam are not taken up again",
        "features/forecasters/training.py",
        "NetworkTraining._restore",
        'self.optimizer.load_state_dict({"state": state, "param_groups": groups})',
        "_ = groups",
    ),
    Break(
        COMPARISON,
        "the order of the windows is drawn from the beginning again",
        "features/forecasters/training.py",
        "NetworkTraining._restore",
        'self.generator.set_state(tensors["generator"])',
        "pass",
    ),
)
