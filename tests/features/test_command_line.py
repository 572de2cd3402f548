"""`python -m features correlation` and `columns`: what a person reads is what the pipeline does."""

import pytest

from features import INDICATORS, FeaturePipeline
from features.__main__ import main
from market import simulate, split

MARKET = ["--simulate", "bitcoin", "--bars", "2000", "--seed", "4"]
FITTED = FeaturePipeline().fit(split(simulate("bitcoin", bars=2_000, seed=4)).train.own)


@pytest.fixture
def words(capsys):
    """Runs a command, which must end well, and gives the words that it printed."""

    def run(*arguments: str) -> list[str]:
        assert main([*arguments]) == 0
        return capsys.readouterr().out.replace(", ", " ").replace(",", "").split()

    return run


def test_correlation_tells_every_indicator_and_draws_the_heatmap(words, tmp_path):
    picture = tmp_path / "figures" / "heatmap.png"
    told = words("correlation", *MARKET, "--out", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    dropped = dict(word.split(":") for word in told if word.split(":")[0] in INDICATORS and ":" in word)
    assert set(dropped) == set(FITTED.dropped)
    assert set(FITTED.kept) <= set(told)
    assert all(0 < float(figure) <= 1 for figure in dropped.values())


def test_correlation_keeps_as_many_as_asked(words, tmp_path):
    told = words("correlation", *MARKET, "--keep", "12", "--out", str(tmp_path / "heatmap.png"))
    assert " ".join(told).count("12 of 93 indicators remain") == 1


def test_columns_tells_memory_center_and_scale_of_each(words):
    told = words("columns", *MARKET)
    for place, name in enumerate(FITTED.names):
        where = told.index(name)
        assert int(told[where + 1]) == FITTED.memory[place]
        assert float(told[where + 3]) == pytest.approx(FITTED.scale[place], rel=1e-3)
    assert " ".join(told[-len(FITTED.dropped) :]) == " ".join(FITTED.dropped)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["correlation", *MARKET, "--keep", "2"], "keep >= 5"),
        (["columns", "--simulate", "bitcoin", "--bars", "300"], "give more candles"),
        (["columns", "nowhere.csv"], "nowhere.csv"),
        (["columns"], "name either a candle file or"),
    ],
)
def test_wrong_input_gets_one_line(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_names_of_indicators_are_listed_those_of_a_plugin_too(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "listed_ideas.py").write_text(
        "from features import Indicator\nINDICATORS = {'spread': Indicator(lambda bars: bars.high / bars.low - 1, 0, 0.0)}\n"
    )
    assert set(INDICATORS) <= set(words("indicators"))
    assert "spread" in words("indicators", "--plugin", "listed_ideas.py")
