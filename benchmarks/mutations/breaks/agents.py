"""Breaks of what is promised of `agents`."""

from benchmarks.mutations.patches import Break

FLIPPED = "tests/agents/test_learned_agent.py::test_a_flipped_byte_anywhere_is_refused"
NO_CODE = "tests/agents/test_learned_agent.py::test_loading_never_runs_code"
NO_ZIP = "tests/agents/test_sb3_zip.py::test_without_the_flag_a_zip_is_not_even_opened"
SLICES = "tests/agents/test_recurrent_ppo.py::test_slices_give_the_losses_and_weights_of_sb3_contrib"
SEQUENCES = "tests/agents/test_recurrent_ppo.py::test_sequences_hold_every_step_once_with_the_memory_that_it_had"
MEMORY = "tests/agents/test_recurrent_ppo.py::test_tasks_that_take_a_memory_are_solved"

ONE_OR_BATCH = "tests/agents/test_learned_agent.py::test_predict_takes_one_observation_or_a_batch"
NOW = "tests/agents/test_run_agent.py::test_the_decision_is_that_of_an_env_in_which_it_has_not_traded"

BREAKS = (
    Break(
        ONE_OR_BATCH,
        "one observation gets a batch of one action",
        "agents/learned_agent.py",
        "LearnedAgent.predict",
        "(actions[0] if single else actions)",
        "actions",
    ),
    Break(
        ONE_OR_BATCH,
        "one truth value for the start of all episodes stays one",
        "agents/batches.py",
        "as_batch",
        "starts if starts.shape == (len(rows),) else np.full(len(rows), starts)",
        "starts",
    ),
    Break(
        ONE_OR_BATCH,
        "the ensemble answers one observation with a batch",
        "agents/ensemble.py",
        "EnsembleAgent.predict",
        "(actions[0] if single else actions)",
        "actions",
    ),
    Break(
        NOW,
        "an agent with a memory sees the last row alone",
        "agents/run_agent.py",
        "RunAgent._remembers",
        "any(member.algorithm.recurrent for member in members)",
        "False",
    ),
    Break(
        NOW,
        "the memory is emptied at every row",
        "agents/run_agent.py",
        "RunAgent.decide",
        "self.predict(observation, state, False)",
        "self.predict(observation, state, True)",
    ),
    Break(
        NOW,
        "the account traded at the last row",
        "envs/assumed_account.py",
        "observe_account",
        "idle = n - 1 if",
        "idle = 0 if",
    ),
    Break(
        FLIPPED,
        "the seal is not compared with the content",
        "common/sealed_tensors.py",
        "read_sealed",
        'if _digest(tensors, text) != digest:\n            raise SealError("its content is not what was written")',
        "_ = digest",
    ),
    Break(
        FLIPPED,
        "the seal holds the weights, but not the description of the agent",
        "common/sealed_tensors.py",
        "_digest",
        "hashlib.sha256(about.encode())",
        "hashlib.sha256()",
    ),
    Break(
        FLIPPED,
        "a reader's own error comes through instead of the one line",
        "common/sealed_tensors.py",
        "read_sealed",
        "except Exception as error:",
        "except (ValueError, KeyError) as error:",
    ),
    Break(
        NO_CODE,
        "a file that is not sealed is tried as one of torch.save",
        "agents/learned_agent.py",
        "LearnedAgent.load",
        "weights, about = read_sealed(path, KIND)",
        "try:\n            weights, about = read_sealed(path, KIND)\n        except SealError:\n"
        "            try:\n"
        '                torch.load(__import__("io").BytesIO(path.read_bytes()), weights_only=False)["policy"]\n'
        "            except Exception:\n                pass\n            raise",
    ),
    Break(
        NO_CODE,
        "the description is read as YAML, which can name any function",
        "common/sealed_tensors.py",
        "read_sealed",
        "about = json.loads(text)",
        '__import__("yaml").unsafe_load(text)\n        about = json.loads(text)',
    ),
    Break(
        NO_ZIP,
        "the flag is asked for after the file was read",
        "agents/sb3_zip.py",
        "import_zip",
        "    _require(zip_can_run_code, path)\n    if algorithm not in ALGORITHMS:\n",
        "    if path.is_file():\n        ALGORITHMS[algorithm].classes(AgentSettings(algorithm=algorithm)).foreign.load(path)\n"
        "    _require(zip_can_run_code, path)\n    if algorithm not in ALGORITHMS:\n",
    ),
    Break(
        NO_ZIP,
        "the command gives the flag by itself",
        "agents/__main__.py",
        "_import",
        "zip_can_run_code=options.zip_can_run_code",
        "zip_can_run_code=True",
    ),
    Break(
        NO_ZIP,
        "whether there is such a file is looked up before the flag is asked for",
        "agents/sb3_zip.py",
        "import_zip",
        "    _require(zip_can_run_code, path)\n",
        '    if not path.is_file():\n        raise ZipError(f"there is no file {path}")\n    _require(zip_can_run_code, path)\n',
    ),
    Break(
        SLICES,
        "advantages are divided by the deviation of a whole population, not of a sample",
        "agents/recurrent_ppo.py",
        "RecurrentPPO._loss",
        "(count - 1).clamp(min=1)",
        "count",
        only="[defaults]",
    ),
    Break(
        SLICES,
        "an episode that was cut off counts as one that ended",
        "agents/recurrent_ppo.py",
        "RecurrentPPO.collect_rollouts",
        "            self._bootstrap(rewards, dones, infos, lstm_states)\n",
        "",
        only="[defaults]",
    ),
    Break(
        SLICES,
        "the KL that is logged is that of all passes, not of the last one",
        "agents/recurrent_ppo.py",
        "RecurrentPPO._record",
        "figures[last_pass:, KL].mean()",
        "figures[:, KL].mean()",
        only="[defaults]",
    ),
    Break(
        SEQUENCES,
        "the memory that is kept for a step is the one after it",
        "agents/recurrent_ppo.py",
        "RecurrentPPO.collect_rollouts",
        "lstm_states=self._last_lstm_states,\n            )\n            self._last_obs",
        "lstm_states=lstm_states,\n            )\n            self._last_obs",
    ),
    Break(
        SEQUENCES,
        "a sequence runs on over the start of an episode",
        "agents/sequence_buffer.py",
        "SequenceRolloutBuffer._sequences",
        "begins = self.episode_starts > 0",
        "begins = np.zeros(self.episode_starts.shape, bool)",
    ),
    Break(
        SEQUENCES,
        "the short sequences at the end of a rollout are left out",
        "agents/sequence_buffer.py",
        "SequenceRolloutBuffer.get",
        'order = np.argsort(drawn, kind="stable")',
        'order = np.argsort(drawn, kind="stable")\n'
        "        order = order[first[order] + self.sequence_length <= self.buffer_size]",
    ),
    Break(
        MEMORY,
        "the memory is not carried from step to step of a rollout",
        "agents/recurrent_ppo.py",
        "RecurrentPPO.collect_rollouts",
        "self._last_obs, self._last_episode_starts, self._last_lstm_states = new_obs, dones, lstm_states",
        "self._last_obs, self._last_episode_starts = new_obs, dones",
        only="[recall]",
    ),
    Break(
        MEMORY,
        "every step counts as the start of an episode",
        "agents/recurrent_policy.py",
        "OneCall._process_sequence",
        "starts = episode_starts.reshape(count, -1).transpose(0, 1)",
        "starts = torch.ones_like(episode_starts).reshape(count, -1).transpose(0, 1)",
        only="[recall]",
    ),
)
