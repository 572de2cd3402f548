"""Each promise of the README has a test, and breaks that this test must catch (`python -m benchmarks.mutations` runs them)."""

import ast
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.mutations import BREAKS, Break, PatchError, patched, promises
from benchmarks.mutations.__main__ import run

ROOT = Path(__file__).parents[2]
PROMISES = promises()


def test_the_table_is_found():
    assert len(PROMISES) > 60
    assert PROMISES[0].words == "an order fills at the open of the bar after the decision"


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.test)
def test_every_promise_names_a_test(promise):
    path, _, name = promise.test.partition("::")
    functions = {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)}
    assert not name or name in functions


@pytest.mark.parametrize("test", sorted({promise.test for promise in PROMISES}), ids=str)
def test_every_promise_is_broken_in_two_ways(test):
    places = Counter((one.file, one.function, one.old, one.new) for one in BREAKS if one.test == test)
    assert len(places) >= 2


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.what)
def test_every_break_fits_the_code_and_breaks_a_promise(one):
    source = (ROOT / one.file).read_text()
    assert patched(source, one) != source
    assert not one.file.startswith("tests/")
    assert one.test in {promise.test for promise in PROMISES}


BODY = "class A:\n    def f(self):\n        return 1\n\n\ndef f():\n    return 1 + 1\n"


def test_a_break_changes_its_function_alone():
    one = Break("tests/t.py::t", "wrong", "a.py", "A.f", "return 1", "return 2")
    assert patched(BODY, one) == BODY.replace("        return 1", "        return 2")
    with pytest.raises(PatchError, match=r"'1' is 2 times in f in a.py"):
        patched(BODY, replace(one, function="f", old="1"))
    with pytest.raises(PatchError, match=r"a.py has no A.g"):
        patched(BODY, replace(one, function="A.g"))
    with pytest.raises(SyntaxError):
        patched(BODY, replace(one, new="return )"))


LOCKED = "tests/market/test_splitting.py::test_the_test_range_is_locked"
SEEN = Break(LOCKED, "", "market/splitting.py", "Split.test", "raise LockedTestRange(", "raise KeyError(")
UNSEEN = Break(LOCKED, "", "market/splitting.py", "cut", "length < MIN_PART_BARS:", "length < MIN_PART_BARS - 1:")
CRASH = Break(LOCKED, "", "market/splitting.py", "", "from itertools import pairwise", "from itertools import pair_wise")


@pytest.mark.parametrize("one", [SEEN, UNSEEN, CRASH], ids=["seen", "unseen", "crash"])
def test_the_breaks_of_the_next_test_fit_the_code(one):
    source = (ROOT / one.file).read_text()
    assert patched(source, one) != source


@pytest.mark.slow
def test_a_break_that_a_test_sees_is_caught_and_one_that_it_does_not_see_is_missed():
    gone = replace(SEEN, old="no such words")
    assert [result.verdict for result in run([SEEN, UNSEEN, CRASH, gone], jobs=1)] == ["caught", "MISSED", "ERROR", "OLD"]
