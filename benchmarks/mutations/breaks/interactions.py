"""Breaks of what is promised of the models of interactions, their files and their probabilities of a rise."""

from benchmarks.mutations.patches import Break

MARGIN = "tests/features/interactions/test_kernels.py::test_a_margin_is_the_sum_over_all_pairs"
RESUMED = "tests/features/interactions/test_every_model.py::test_a_killed_training_goes_on_to_the_same_bytes"
ALIKE = "tests/features/fields/test_every_format.py::test_the_same_table_reads_to_the_same_rows"
UNSEEN = "tests/features/fields/test_every_format.py::test_what_train_never_showed_is_left_out_and_said"
EQUAL = "tests/evaluation/forecasts/test_interaction_scores.py::test_between_equal_models_a_difference_is_seldom_shown"
PAIR = "tests/features/forecasters/test_rises.py::test_a_planted_pair_of_fields_is_found"
NOISE = "tests/features/forecasters/test_rises.py::test_in_noise_nothing_is_found"

BREAKS = (
    Break(
        MARGIN,
        "the loops are given field 0 for all entries",
        "features/interactions/kernel_learner.py",
        "KernelLearner._entries",
        "return rows.starts, rows.features, rows.fields, rows.values",
        "return rows.starts, rows.features, rows.fields * 0, rows.values",
    ),
    Break(
        MARGIN,
        "rows are always divided by their length",
        "features/interactions/kernel_learner.py",
        "_rates",
        "normalize=settings.normalize_rows",
        "normalize=True",
    ),
    Break(
        RESUMED,
        "a resumed training begins with new weights",
        "features/interactions/training.py",
        "InteractionTraining._restore",
        'self.learner.load_state(_below(tensors, "state/"))',
        "self.learner.state()",
    ),
    Break(
        RESUMED,
        "a resumed network has forgotten what Adam held of its layers",
        "features/interactions/network_learner.py",
        "NetworkLearner.load_state",
        "self._load_dense_moments(state)",
        "self._dense_moments()",
    ),
    Break(
        ALIKE,
        "a label of -1 is taken for 1",
        "features/fields/label_rule.py",
        "LabelRule.applied",
        "return (labels > 0).astype(np.float32)",
        "return (labels != 0).astype(np.float32)",
    ),
    Break(
        ALIKE,
        "labels are turned round",
        "features/fields/label_rule.py",
        "LabelRule.applied",
        "return (labels > 0).astype(np.float32)",
        "return (labels <= 0).astype(np.float32)",
    ),
    Break(
        UNSEEN,
        "nothing is said of entries that were left out",
        "features/fields/preparation.py",
        "_left_out",
        "    if unseen:\n",
        "    if False:\n",
    ),
    Break(
        UNSEEN,
        "features are learned from every file anew",
        "features/fields/preparation.py",
        "_write",
        "numbering = Numbering(path, settings, known, FORMATS[name].is_table)",
        "numbering = Numbering(path, settings, None, FORMATS[name].is_table)",
    ),
    Break(
        EQUAL,
        "any difference is shown",
        "evaluation/forecasts/interaction_scores.py",
        "PairDifference.shown",
        "return self.interval[0] > 0",
        "return self.difference > 0",
    ),
    Break(
        EQUAL,
        "the intervals are a third as wide as they must be",
        "evaluation/forecasts/interaction_scores.py",
        "_pairs",
        "reach = np.quantile(largest, CONFIDENCE) * errors",
        "reach = np.quantile(largest, CONFIDENCE) * errors / 3",
    ),
    Break(
        PAIR,
        "a label stands beside the bar before its own",
        "features/forecasters/rise_forecasters.py",
        "estimate",
        "rows = field_rows(train, ends, labels, settings.fields, edges)",
        "rows = field_rows(train, ends - 1, labels, settings.fields, edges)",
    ),
    Break(
        PAIR,
        "the hours of the afternoon are those of the morning",
        "features/forecasters/candle_fields.py",
        "_categories",
        "return times // HOUR % 24",
        "return times // HOUR % 12",
    ),
    Break(
        NOISE,
        "the signs are those of the next bars",
        "features/forecasters/candle_fields.py",
        "_categories",
        "codes[bars:] = np.lib",
        "codes[bars - 1 : -1] = np.lib",
    ),
    Break(
        NOISE,
        "the place in the range is that of the next bar's close",
        "features/forecasters/candle_fields.py",
        "_place_in_range",
        'frame["close"] - low',
        'frame["close"].shift(-1) - low',
    ),
)
