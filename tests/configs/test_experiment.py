import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import yaml
from scripts import run_script

from common import InputError
from configs import Experiment, SettingError, dump_experiment, load_experiment, make_parser, parse, setting_fields
from envs import REWARDS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return path

    return write


def given(*arguments: str) -> Experiment:
    options, overrides = parse(make_parser("a script", shortcuts=("reward", "trials", "steps", "seed")), list(arguments))
    return load_experiment(options.config, overrides)


def test_defaults_then_yaml_then_command_line(write):
    path = str(write("name: mine\nenv: {fee_bps: 7, slippage_bps: 3}"))
    experiment = given("--config", path, "--env.fee_bps", "5")
    assert (experiment.env.fee_bps, experiment.env.slippage_bps, experiment.env.half_spread_bps) == (5, 3, 1)
    assert experiment.study_name == "mine-sortino"


def test_shortcuts_are_their_settings():
    experiment = given("--reward", "profit", "--trials", "7", "--steps", "9", "--seed", "3")
    assert (experiment.env.reward, experiment.search.trials) == ("profit", 7)
    assert (experiment.train.steps, experiment.train.seed) == (9, 3)


def test_values_are_read_by_the_type_of_their_setting():
    experiment = given("--market.repair", "--agent.learning_rate", "2e-4", "--features.indicators", "rsi, adx")
    assert experiment.market.repair is True
    assert experiment.agent.learning_rate == 2e-4
    assert experiment.features.indicators == ("rsi", "adx")
    assert given("--features.indicators", "[rsi]").features.indicators == ("rsi",)
    assert given("--market.file", "null").market.file is None
    assert given("--train.steps", "1e6", "--market.seed", "010").train.steps == 1_000_000
    assert given("--market.seed", "010").market.seed == 10
    assert given("--market.repair", "no", "--env.shorts", "On").env.shorts is True
    assert given("--features.forecasts.conv_layers", "3").features.forecasts.conv_layers == 3
    external = given("--market.external", "{mood: on.csv, fear: {file: 2024, delay: 1d}}").market.external
    assert (str(external["mood"].file), str(external["fear"].file), external["fear"].delay) == ("on.csv", "2024", "1d")
    assert given("--market.simulate", "ou", "--market.params", "{reversion: 1e-1}").market.params == {"reversion": 0.1}


TEXTS = [
    name for name, field in setting_fields() if field.annotation in (str, str | None, Path, Path | None)
]  # fmt: skip


@pytest.mark.parametrize("text", ["2024", "on", "1e5", "010", "1:30", "2020-01-01", "~", "[a]", "a: b", "#1", " 5"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_setting_takes_the_text_as_it_stands(name, text):
    _, overrides = parse(make_parser("a script"), [f"--{name}", text])
    assert overrides == {name: text}


def test_texts_that_yaml_takes_for_something_else_arrive(write):
    """On a command line and in a file."""
    assert given("--name", "2024", "--market.symbol", "1e5").market.symbol == "1e5"
    assert [given("--name", text).study_name for text in ("2024", "on", "1e5", "null")] == [
        "2024-sortino", "on-sortino", "1e5-sortino", "null-sortino",
    ]  # fmt: skip
    experiment = load_experiment(write("name: on\nmarket: {symbol: 1e5, file: 2024, timezone: ~}\nfeatures: {extra: [on, no]}"))
    assert (experiment.name, experiment.market.symbol, str(experiment.market.file)) == ("on", "1e5", "2024")
    assert (experiment.market.timezone, experiment.features.extra) == (None, ("on", "no"))


ONE = {
    "market.files": ("a.csv", Path("a.csv")), "features.indicators": ("rsi", "rsi"), "features.extra": ("on", "on"),
    "features.volatility_bars": ("6", 6), "features.forecasts.models": ("lstm", "lstm"),
    "features.forecasts.inputs": ("close", "close"), "env.targets": ("1", 1.0), "agent.head_layers": ("64", 64),
    "search.dimensions": ("gamma", "gamma"), "features.families": ("threes", "threes"),
    "features.forecasts.fields": ("hour", "hour"), "features.forecasts.interactions.hidden_layers": ("64", 64),
    "features.forecasts.interactions.cin_layers": ("64", 64),
    "features.timeframes": ("4h", "4h"), "features.timeframe_columns": ("rsi", "rsi"),
}  # fmt: skip
"""of each list setting an item as it is written, and as it is meant"""


@pytest.mark.parametrize("form", ["{}", "[{}]"])
@pytest.mark.parametrize("name", [name for name, field in setting_fields() if Ellipsis in get_args(field.annotation)])
def test_a_list_of_one_item_is_a_list(write, name, form, monkeypatch):
    """Every list setting, on the command line and in a file."""
    monkeypatch.setattr("features.settings.own_names", lambda kind: frozenset({"threes"}))  # as if a plugin had added it
    written, meant = ONE[name]
    section, *rest = name.split(".")
    text = form.format(written)
    for part in reversed(rest):
        text = f"{{{part}: {text}}}"
    if name == "env.targets":
        with pytest.raises(SettingError, match="should have at least 2 items"):
            given(f"--{name}", form.format(written))
        return
    for experiment in (given(f"--{name}", form.format(written)), load_experiment(write(f"{section}: {text}"))):
        value = experiment.model_dump()
        for part in name.split("."):
            value = value[part]
        assert value == (meant,) or (name, experiment.market.file) == ("market.files", meant)


@pytest.mark.parametrize("script", ["optimize", "train", "backtest", "audit"])
@pytest.mark.parametrize("option", ["--run", "--seed", "--config", "--env.fee_bps", "--storage"])
def test_an_option_given_twice_is_refused(script, option, tmp_path):
    """Before a run is read or a test range opened."""
    ran = run_script(tmp_path, script, option, "1", option, "2")
    assert (ran.returncode, ran.stdout, list(tmp_path.iterdir())) == (2, "", [])
    if "there is no option" not in ran.stderr:
        assert f"`{option}` may be given once, but got `{option} 1` and `{option} 2`; leave one out" in ran.stderr


def test_a_shortcut_beside_its_setting_is_given_twice(capsys):
    with pytest.raises(SystemExit):
        given("--seed", "1", "--train.seed", "2")
    assert "`--train.seed` may be given once, but got `--seed 1` and `--train.seed 2`" in capsys.readouterr().err


def test_a_dump_reads_back_the_same(write):
    experiment = given("--env.fee_bps", "5", "--market.file", "a/b.csv", "--features.indicators", "rsi")
    assert load_experiment(write(dump_experiment(experiment))) == experiment


@pytest.mark.parametrize("name", ["default", "coinbase-hourly"])
def test_a_config_file_holds_overrides_only(name):
    path = ROOT / "configs" / f"{name}.yaml"
    tree = yaml.safe_load(path.read_text())
    assert tree["name"] == name
    defaults = Experiment().model_dump(mode="json")
    for section, values in tree.items():
        for key, value in values.items() if isinstance(values, dict) else []:
            assert defaults[section][key] != value, f"{section}.{key} is the default"
    load_experiment(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--env.targets", "0,x"],
            "`env.targets.1`: must be a valid number, unable to parse string as a number, but got 'x' (on the command line)",
        ),
        (["--env.fee_bps", "-3"], "`env.fee_bps`: must be greater than or equal to 0, but got -3 (on the command line)"),
        (["--reward", "sortin"], "env.reward: there is no reward 'sortin'; did you mean 'sortino'?"),
        (["--market.simulate", "bitcion"], "did you mean 'bitcoin'?"),
        (["--features.indicators", "rsi,rsi"], "each indicator may be named once"),
        (["--features.indicators", "rsi,rsj"], "there is no indicator 'rsj'; did you mean 'rsi'?"),
        (["--split.train", "0.9"], "`train + validation < 1` must hold"),
        (["--agent.n_minibatches", "7"], "`n_minibatches` must divide"),
        (["--benchmarks.sma_short_bars", "300"], "`sma_short_bars < sma_long_bars` must hold"),
        (["--name", "../evil"], "`name`: string should match pattern"),
        (["--train.steps", "many"], "`train.steps`"),
        (["--agent.gamma", ".nan"], "`agent.gamma`"),
        (["--search.storage", "mysql://x"], "must be a SQLite file"),
        (["--config", "nowhere.yaml"], "there is no config file nowhere.yaml"),
    ],
)
def test_a_wrong_value_is_one_clear_line(arguments, message):
    with pytest.raises(SettingError) as error:
        given(*arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env: {fee_bsp: 3}", "there is no setting `env.fee_bsp` (in {path}); did you mean `env.fee_bps`?"),
        ("fee_bps: 3", "there is no setting `fee_bps` (in {path}); did you mean `env.fee_bps`?"),
        ("env: {fee_bps: x}", "(in {path})"),
        ("env: 3", "`env`"),
        ("- a list", "must hold settings by name"),
        ("env: {fee_bps: [", "no readable YAML"),
    ],
)
def test_a_wrong_file_is_one_clear_line(write, text, message):
    path = write(text)
    with pytest.raises(SettingError) as error:
        load_experiment(path)
    assert message.format(path=path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("argument", "hint"),
    [("--env.fee_bsp", "--env.fee_bps"), ("--fee_bps", "--env.fee_bps"), ("--rewrad", "--reward"), ("stray", "--help")],
)
def test_an_unknown_option_is_one_line_with_the_nearest_name(argument, hint, capsys):
    with pytest.raises(SystemExit) as end:
        given(argument, "3")
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert hint in message
    assert message.count("\n") == 1


def help_of(capsys, *arguments):
    """Without its line breaks and spaces: argparse wraps lines."""
    with pytest.raises(SystemExit):
        given(*arguments)
    return "".join(capsys.readouterr().out.split())


def test_help_of_all_shows_every_setting_with_its_doc_and_default(capsys):
    text = help_of(capsys, "--help-all")
    experiment = Experiment()
    for name, field in setting_fields():
        assert f"--{name}" in text
        assert field.description, name
        assert "".join(field.description.split()) in text, name
        value = experiment
        for part in name.split("."):
            value = getattr(value, part)
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            assert f"(default:{value})".replace(" ", "") in text, name


def test_help_shows_the_common_settings_and_says_where_the_others_are(capsys):
    text = help_of(capsys, "--help")
    for name in ("env.reward", "train.steps", "search.trials", "market.file", "env.fee_bps"):
        assert f"--{name}" in text
    assert "--market.max_fill" not in text
    assert f"--help-allshowsall{len(list(setting_fields())) - 1}settings" in text  # --plugin is an option of its own


def test_each_setting_names_its_choices(capsys):
    """All names, or the command that lists them, of every setting that refuses a name that it does not know."""
    text, names = help_of(capsys, "--help-all"), dict(setting_fields())
    for name, field in names.items():
        own = re.split(rf"--{name}(?=[A-Z\[{{])", text)[1].split("(default:")[0]
        for kind in (field.annotation, *get_args(field.annotation)):
            assert all(str(choice) in own for choice in (get_args(kind) if get_origin(kind) is Literal else ())), name
        if str not in (field.annotation, *get_args(field.annotation)):
            continue
        known = ""
        try:
            load_experiment(None, {name: "no-such-name"})
        except InputError as error:
            known = re.split(r"[;)]| \(on the command line", str(error).partition("the known ones are ")[2])[0]
        if name in ("features.indicators", "features.timeframe_columns", "features.forecasts.fields"):
            assert "`python-mfeaturesindicators`liststheindicators" in own
        elif known:
            assert all(each in own for each in known.split(", ")), name


@pytest.mark.parametrize("script", ["optimize", "train", "backtest", "audit"])
def test_each_script_has_help_of_two_screens_at_most(script, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    run = run_script(tmp_path, script, "--help")
    assert run.returncode == 0
    assert f"python {script}.py" in run.stdout
    assert "--env.fee_bps" in run.stdout
    assert len(run.stdout.splitlines()) <= 80
    assert "--env.half_spread_bps" in run_script(tmp_path, script, "--help-all").stdout


def test_a_help_lists_the_rewards(tmp_path):
    for script in ("optimize", "train"):
        words = run_script(tmp_path, script, "--help").stdout.split("--reward, --env.reward")[1].split("--")[0]
        assert all(reward in words for reward in REWARDS)
    assert all(f"`{reward}`" in (ROOT / "README.md").read_text() for reward in REWARDS)


@pytest.mark.parametrize("name", ["sortin", "none-such"])
def test_a_wrong_reward_names_all_of_them(name):
    with pytest.raises(SettingError) as error:
        given("--reward", name)
    assert ", ".join(REWARDS) in str(error.value)


def test_settings_that_came_later_and_are_not_used_are_no_part_of_an_identity():
    """So studies and checkpoints that were made before there were any go on."""
    for identity in (Experiment().identity("data"), Experiment().training_identity("data")):
        assert not {"plugins"} & set(identity)
        assert not {"timeframes", "timeframe_columns", "families"} & set(identity["features"])
    used = Experiment.model_validate({"features": {"timeframes": "4h"}}).identity("data")["features"]
    assert used["timeframes"] == ["4h"]
    assert "d_log_close" in used["timeframe_columns"]
