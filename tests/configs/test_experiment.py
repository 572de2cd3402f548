from pathlib import Path

import pytest
import yaml
from scripts import run_script

from configs import Experiment, SettingError, dump_experiment, load_experiment, make_parser, parse, setting_fields

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


def test_values_are_read_as_yaml():
    experiment = given("--market.repair", "--agent.learning_rate", "2e-4", "--features.indicators", "rsi, adx")
    assert experiment.market.repair is True
    assert experiment.agent.learning_rate == 2e-4
    assert experiment.features.indicators == ("rsi", "adx")
    assert given("--features.indicators", "[rsi]").features.indicators == ("rsi",)
    assert given("--market.file", "null").market.file is None


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


def test_help_shows_every_setting_with_its_doc_and_default(capsys):
    with pytest.raises(SystemExit):
        given("--help")
    text = "".join(capsys.readouterr().out.split())  # argparse wraps lines
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


@pytest.mark.parametrize("script", ["optimize", "train", "backtest", "audit"])
def test_each_script_has_help(script, tmp_path):
    run = run_script(tmp_path, script, "--help")
    assert run.returncode == 0
    assert f"python {script}.py" in run.stdout
    assert "--env.fee_bps" in run.stdout
