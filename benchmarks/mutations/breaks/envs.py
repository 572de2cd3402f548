"""Breaks of what is promised of the environment."""

from benchmarks.mutations.patches import Break

KERNEL, REWARDS, LOOPS = "envs/kernel.py", "envs/rewards.py", "envs/reward_loops.py"

FILLS = "tests/envs/test_kernel.py::test_an_order_fills_at_the_price_that_its_fill_names"
FUTURE = "tests/envs/test_honest_time.py::test_another_future_changes_nothing_that_was_known_before_it"
IMPACT = "tests/envs/test_honest_time.py::test_impact_knows_nothing_of_the_bar_that_the_order_fills_in"
WORTH = "tests/envs/test_accounting.py::test_net_worth_is_cash_and_coin_at_the_close"
CHANGE = "tests/envs/test_accounting.py::test_net_worth_changes_by_the_market_gain_less_the_costs"
LEDGER = "tests/envs/test_accounting.py::test_the_kernel_equals_an_independent_ledger"
CASH = "tests/envs/test_accounting.py::test_a_cash_account_owes_neither_cash_nor_coin"
RATIOS = "tests/envs/test_rewards.py::test_a_ratio_equals_empyrical_where_that_is_finite_and_its_documented_number_elsewhere"
DRIFT = "tests/envs/test_rewards.py::test_a_million_bars_bring_no_drift"
OWN = "tests/envs/test_rewards.py::test_a_reward_of_your_own_is_one_njit_function"
ROADS = "tests/envs/test_two_roads.py::test_scalar_and_vector_envs_give_the_same_bytes"

MASKS = "tests/envs/test_action_masks.py::test_the_mask_is_what_the_kernel_refuses_at_the_last_close"
SAME_MASKS = "tests/envs/test_action_masks.py::test_all_environments_give_the_same_masks"
FITTED_ONCE = "tests/envs/test_gymnasium_make.py::test_what_counts_is_the_content_of_the_candles"
HELD = "tests/envs/test_assumed_account.py::test_an_account_that_holds_coin_is_seen_as_the_env_shows_it"

BREAKS = (
    Break(
        MASKS,
        "only a want of cash or coin is masked, no minimum and no lot",
        "envs/accounts.py",
        "Trading.action_masks",
        "allowed = outcomes <= kernel.HELD",
        "allowed = (outcomes <= kernel.HELD) | (outcomes > kernel.NO_MARGIN)",
    ),
    Break(
        MASKS,
        "a mask is foreseen without impact",
        KERNEL,
        "foresee_outcomes",
        "bars[bar + 1].impact",
        "0.0",
        "[impact]",
    ),
    Break(
        MASKS,
        "looking ahead trades on the account itself",
        KERNEL,
        "foresee_outcomes",
        "execute_order(scratch[0],",
        "execute_order(accounts[i],",
    ),
    Break(
        MASKS,
        "the target that is held is masked, so that its holder has to trade",
        "envs/accounts.py",
        "Trading.action_masks",
        "allowed[np.arange(len(held)), np.abs(held[:, None] - listed).argmin(axis=1)] = True",
        "pass",
        "[targets]",
    ),
    Break(
        SAME_MASKS,
        "sb3-contrib is given the masks of all accounts for each",
        "envs/sb3_vec_env.py",
        "BitcoinTradingVecEnv.env_method",
        "if method_name in ROW_METHODS:",
        "if False:",
    ),
    Break(
        SAME_MASKS,
        "every account is given the mask of the first",
        KERNEL,
        "foresee_outcomes",
        "scratch[0] = accounts[i]",
        "scratch[0] = accounts[0]",
    ),
    Break(
        FITTED_ONCE,
        "nothing that was fitted is kept",
        "envs/gymnasium_make.py",
        "_features_of",
        "_kept[key] = matrix  # the last of them is the last used",
        "pass",
    ),
    Break(
        FITTED_ONCE,
        "what is kept is known by the number of bars",
        "envs/gymnasium_make.py",
        "_features_of",
        "key = candles.sha256,",
        "key = str(len(candles)),",
    ),
    Break(
        HELD,
        "the account pays no heed to what a coin cost",
        "envs/assumed_account.py",
        "observe_account",
        "account.cash, account.coin, account.entry",
        'account.cash, account.coin, bars["close"]',
    ),
    Break(
        HELD,
        "the highest net worth so far is left out",
        "envs/assumed_account.py",
        "observe_account",
        "account.peak or 0.0",
        "0.0",
    ),
    Break(
        FILLS,
        "an order at the next open fills at the close that the decision has seen",
        KERNEL,
        "advance",
        "bar.open if rules.fill_at == NEXT_OPEN else known.close",
        "known.close",
    ),
    Break(
        FILLS,
        "by default an order fills at the close that the decision has seen",
        "envs/settings.py",
        "EnvSettings",
        '"same_close"] = "next_open"',
        '"same_close"] = "same_close"',
    ),
    Break(
        FUTURE,
        "the agent sees the features of the next bar",
        KERNEL,
        "observe",
        "features[t, column]",
        "features[min(t + 1, len(features) - 1), column]",
    ),
    Break(
        FUTURE,
        "the impact of an order is measured against the volume of the bar after it fills",
        "envs/market_arrays.py",
        "_bars",
        "_impact(whole)[-len(traded) :]",
        "np.roll(_impact(whole), -2)[-len(traded) :]",
    ),
    Break(
        IMPACT,
        "the impact of an order is measured against the bar that it fills in",
        "envs/market_arrays.py",
        "_impact",
        "scale.shift(1, fill_value=0.0)",
        "scale",
    ),
    Break(
        IMPACT,
        "the volume that an order is measured against is centred on its bar",
        "envs/market_arrays.py",
        "_impact",
        'frame["quote_volume"].rolling(IMPACT_BARS, min_periods=1)',
        'frame["quote_volume"].rolling(IMPACT_BARS, min_periods=1, center=True)',
    ),
    Break(
        WORTH,
        "the coin is marked at the open",
        KERNEL,
        "advance",
        "account.net_worth = account.cash + account.coin * bar.close",
        "account.net_worth = account.cash + account.coin * bar.open",
    ),
    Break(
        WORTH,
        "the net worth is what would be left after the fee of selling all",
        KERNEL,
        "advance",
        "account.net_worth = account.cash + account.coin * bar.close",
        "account.net_worth = account.cash + account.coin * bar.close * (1.0 - rules.fee)",
    ),
    Break(
        CHANGE,
        "the fee is counted and not paid",
        KERNEL,
        "fill",
        "account.cash - sign * value - fee",
        "account.cash - sign * value",
    ),
    Break(
        CHANGE,
        "funding is counted and not paid",
        KERNEL,
        "charge_interest_and_funding",
        "account.cash -= interest + funding",
        "account.cash -= interest",
    ),
    Break(
        LEDGER,
        "the stop-loss of a short lies on the wrong side",
        KERNEL,
        "apply_stops_and_liquidation",
        "(1.0 - sign * rules.stop_loss)",
        "(1.0 - rules.stop_loss)",
    ),
    Break(
        LEDGER,
        "a stop-loss fills at its level even where the bar opens beyond it",
        KERNEL,
        "apply_stops_and_liquidation",
        "at_stop = sign * min(sign * stop, sign * bar.open)",
        "at_stop = stop",
    ),
    Break(
        CASH,
        "an order for all cash keeps nothing back for its fee",
        KERNEL,
        "execute_order",
        "adverse + rules.fee * (1.0 + sign * adverse)",
        "adverse",
    ),
    Break(
        CASH,
        "an order to sell goes on into a short",
        KERNEL,
        "target_exposure",
        "else rules.lowest",
        "else -rules.highest",
    ),
    Break(
        RATIOS,
        "the deviation of a Sharpe ratio divides by n",
        REWARDS,
        "sharpe",
        "annualization * (n - 1) / scatter",
        "annualization * n / scatter",
    ),
    Break(
        RATIOS,
        "a drawdown is measured from where the window began",
        REWARDS,
        "follow",
        "1.0 - growth * newer[2] / older[1]",
        "1.0 - growth * newer[2]",
    ),
    Break(
        DRIFT,
        "the parts of a window grow from the first bar of the episode on and are never begun again",
        LOOPS,
        "_fold_scorer",
        "if last > 0:",
        "if account.steps > 1:",
        only="[sortino-100000]",
    ),
    Break(
        DRIFT,
        "a window is put together from the stretch of the bar before",
        LOOPS,
        "_fold_scorer",
        "at = 5 * last + 6",
        "at = 5 * last + 1",
        only="[sharpe-100000]",
    ),
    Break(
        OWN,
        "the reward that is given is not the one that is paid",
        "envs/accounts.py",
        "Trading.__init__",
        "named(reward or settings.reward)",
        "named(settings.reward)",
    ),
    Break(
        OWN,
        "an episode begins with the memory of the one before",
        KERNEL,
        "open_account",
        "account.memory[:] = 0.0",
        "account.reward_sum = 0.0",
    ),
    Break(
        ROADS,
        "the last observation of an episode is the first of the next",
        "envs/sb3_vec_env.py",
        "BitcoinTradingVecEnv.step_wait",
        "observations[i].copy()",
        "observations[i]",
    ),
    Break(
        ROADS,
        "all envs of a vector draw from one generator",
        "envs/sb3_vec_env.py",
        "BitcoinTradingVecEnv.step_wait",
        "self.trading.begin(i, self._generators[i])",
        "self.trading.begin(i, self._generators[0])",
    ),
)
