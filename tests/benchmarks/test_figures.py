"""README and docs quote what was measured."""

import importlib.util
import json
import re

import pytest

from benchmarks.figures import FILE, PAGES, as_shown, correct, keep, kept, quoted, stale

COMPARED = re.compile(r"(?<![\d.,])\d[\d,.]*(?P<mark><!-- \w+\.\w+ -->)? times (?:as|the|faster|slower|sb3|statsmodels|those)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_marked_number_is_what_was_measured(page):
    assert stale(page, kept()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_comparison_in_words_is_a_measured_number(page):
    claims = list(COMPARED.finditer(page.read_text()))
    assert [claim[0] for claim in claims if not claim["mark"]] == []
    assert claims or page.name != "README.md"


def test_every_benchmark_that_kept_figures_can_be_run_again():
    for name, entry in json.loads(FILE.read_text()).items():
        assert importlib.util.find_spec(f"benchmarks.{name}"), name
        assert entry["command"] in (f"python -m benchmarks.{name} --keep", f"python -m benchmarks.{name} FILE --keep")


def test_nothing_is_kept_that_no_page_quotes():
    names = {one.name for page in PAGES for one in quoted(page)}
    assert names, "the pages mark their numbers"
    assert set(kept()) - names == set()


def test_a_stale_a_rounded_up_and_an_unknown_number_are_seen_and_the_first_two_corrected(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("| 9.9<!-- a.ratio --> | 11<!-- a.ratio --> | 45 %<!-- a.share --> | 3<!-- a.gone --> | 7 |")
    figures = {"a.ratio": 10.4, "a.share": 0.4449}
    assert [line.split(": ")[1][:30] for line in stale(page, figures)] == [
        "a.ratio was measured as 10.4, ",
        "a.ratio was measured as 10, bu",
        "a.share was measured as 44, bu",
        "a.gone is not in figures.json;",
    ]
    correct(page, figures)
    assert page.read_text() == "| 10.4<!-- a.ratio --> | 10<!-- a.ratio --> | 44 %<!-- a.share --> | 3<!-- a.gone --> | 7 |"


@pytest.mark.parametrize(
    ("page", "value", "shown"),
    [("898,000", 898_412, "898,000"), ("10", 14, "14"), ("100", 144, "144"), ("+0.1", 0.25, "+0.2"), ("1,000", 12_345, "12,340")],
)
def test_a_number_is_shown_as_the_page_shows_it_and_keeps_three_digits(page, value, shown):
    assert as_shown(page, False, value) == shown


def test_a_benchmark_replaces_its_own_figures_and_leaves_the_others(tmp_path):
    file = tmp_path / "figures.json"
    keep("env", {"steps": 1e7}, file)
    keep("agents", {"times": 2.0, "old": 1.0}, file)
    keep("agents", {"times": 2.1234567}, file)
    assert kept(file) == {"env.steps": 1e7, "agents.times": 2.12346}
