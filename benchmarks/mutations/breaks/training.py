"""Breaks of what is promised of `training`."""

from benchmarks.mutations.patches import Break

TEST_RANGE = "tests/training/test_training_loop.py::test_the_test_range_changes_nothing"
KILLS = "tests/training/test_resume.py::test_kills_at_random_moments_change_nothing"
NEWEST = "tests/training/test_resume.py::test_the_newest_good_checkpoint_is_found_and_damaged_ones_are_named"
IDENTITY = "tests/training/test_resume.py::test_a_checkpoint_of_other_data_or_settings_is_refused_with_the_difference"
OU = "tests/training/test_known_answers.py::test_the_best_policy_of_an_observed_ou_market_is_found"
HIDDEN = "tests/training/test_known_answers.py::test_hidden_regimes_need_the_memory_and_are_found_with_it"
NOISE = "tests/training/test_known_answers.py::test_on_noise_the_agent_stays_out"
EDGE = "tests/training/test_training_loop.py::test_the_agent_finds_the_planted_edge_and_none_in_noise"

BREAKS = (
    Break(
        TEST_RANGE,
        "the features are fitted on all candles",
        "training/training_loop.py",
        "train_agent",
        ".fit_coins(train_candles)",
        ".fit_coins([coin._candles for coin in coins])",
    ),
    Break(
        TEST_RANGE,
        "episodes of the training may begin in the test range",
        "training/training_loop.py",
        "train_agent",
        "    rows, evenly = [",
        "    train_candles = [coin._candles for coin in coins]\n    rows, evenly = [",
    ),
    Break(
        TEST_RANGE,
        "a validation plays on to the end of the candles",
        "training/training_loop.py",
        "train_agent",
        "play(coin.validation.candles, unseen[coin.symbol], env, learner)",
        "play(coin._candles, fitted.transform(coin._candles).since(coin.validation.start), env, learner)",
    ),
    Break(
        KILLS,
        "the moments of Adam are not taken up again",
        "agents/checkpoints.py",
        "_restore",
        'model.policy.optimizer.load_state_dict({"state": held, "param_groups": about["optimizer"]})',
        "_ = held",
        only="[4]",
    ),
    Break(
        KILLS,
        "the order of the sequences is drawn from the beginning again",
        "agents/checkpoints.py",
        "_restore_buffer",
        'if "buffer" in about:',
        'if "replay" in about:',
        only="[4]",
    ),
    Break(
        NEWEST,
        "the newest is the one that was written last, whatever its step",
        "agents/checkpoints.py",
        "CheckpointFolder._files",
        "reverse=True)",
        "key=lambda path: path.stat().st_mtime_ns, reverse=True)",
    ),
    Break(
        NEWEST,
        "a damaged checkpoint is passed over in silence",
        "agents/checkpoints.py",
        "CheckpointFolder.newest",
        "skipped.append(str(error))\n",
        "",
    ),
    Break(
        NEWEST,
        "a flipped bit is not noticed",
        "common/sealed_tensors.py",
        "_digest",
        "digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)",
        "pass",
    ),
    Break(
        IDENTITY,
        "what decides the weights leaves the data out",
        "configs/experiment.py",
        "Experiment.training_identity",
        'return {"data_sha256": data_sha256, **dump}',
        "return dump",
    ),
    Break(
        IDENTITY,
        "what decides the weights leaves the features out",
        "configs/experiment.py",
        "Experiment.training_identity",
        '{"split", "features", "env", "agent", "train"}',
        '{"split", "env", "agent", "train"}',
    ),
    Break(
        IDENTITY,
        "a checkpoint of another run is passed over, and the training begins again",
        "agents/checkpoints.py",
        "CheckpointFolder.newest",
        'if changed := differences(content["identity"], self.identity):\n                raise CheckpointError(',
        'if changed := differences(content["identity"], self.identity):\n'
        "                return None\n                raise CheckpointError(",
    ),
    Break(
        OU,
        "an update climbs the loss of the policy",
        "agents/recurrent_ppo.py",
        "RecurrentPPO._loss",
        "policy_loss = -mean(",
        "policy_loss = mean(",
        only="[small]",
    ),
    Break(
        OU,
        "the gradients are cleared after they were computed",
        "agents/recurrent_ppo.py",
        "RecurrentPPO.train",
        "self.policy.optimizer.zero_grad()\n                loss.backward()\n",
        "loss.backward()\n                self.policy.optimizer.zero_grad()\n",
        only="[small]",
    ),
    Break(
        HIDDEN,
        "the memory is emptied before each decision",
        "evaluation/episode.py",
        "_decide",
        "start = np.zeros(1, bool)",
        "start = np.ones(1, bool)",
        only="[small]",
    ),
    Break(
        HIDDEN,
        "the update takes the steps of other accounts for those of a sequence",
        "agents/sequence_buffer.py",
        "SequenceRolloutBuffer._samples",
        "(steps * self.n_envs + env[:, None])",
        "(env[:, None] * self.buffer_size + steps)",
        only="[small]",
    ),
    Break(
        NOISE,
        "the training costs nothing",
        "training/training_loop.py",
        "train_agent",
        "(train_candles, rows, env, n_envs",
        '(train_candles, rows, env.model_copy(update={"fee_bps": 0.0}), n_envs',
        only="[small]",
    ),
    Break(
        NOISE,
        "the worst validation is kept",
        "training/training_loop.py",
        "_ValidationCallback._validate_now",
        "figure - caution * error > self.best.log_growth",
        "figure - caution * error < self.best.log_growth",
        only="[small]",
    ),
    Break(
        EDGE,
        "each account is paid the reward of its neighbour",
        "agents/recurrent_ppo.py",
        "RecurrentPPO.collect_rollouts",
        "                rewards,\n                self._last_episode_starts,",
        "                np.roll(rewards, 1),\n                self._last_episode_starts,",
        only="[small-profit-0.3]",
    ),
    Break(
        EDGE,
        "an update climbs the loss of the policy",
        "agents/recurrent_ppo.py",
        "RecurrentPPO._loss",
        "policy_loss = -mean(",
        "policy_loss = mean(",
        only="[small-profit-0.3]",
    ),
)
