"""A hundred of the cases that benchmarks/fuzz.py draws, the same ones in every run."""

import os

import pytest

from benchmarks.fuzz import CHECKS, little_memory, nothing_executed, run_kind
from src.errors import UserError

CASES = 7  # of each kind


@pytest.mark.filterwarnings("ignore::UserWarning")  # of PIL and zipfile, about what is damaged on purpose
@pytest.mark.parametrize("kind", CHECKS)
def test_drawn_cases_are_read_right_or_refused_in_a_line(kind):
    assert sum(run_kind(kind, CASES)) >= 1


def test_a_traceback_is_found(monkeypatch):
    monkeypatch.setitem(CHECKS, "recipes", lambda draw, folder: {}["missing"])
    with pytest.raises(KeyError):
        run_kind("recipes", 1)


def test_a_refusal_counts_as_such(monkeypatch):
    def refuse(draw, folder):
        raise UserError("no")

    monkeypatch.setitem(CHECKS, "recipes", refuse)
    assert run_kind("recipes", 1) == (0, 1)


def test_what_is_executed_is_noticed():
    with pytest.raises(AssertionError, match="os.system"), nothing_executed():
        os.system("true")


def test_memory_out_of_proportion_is_noticed(monkeypatch):
    peaks = [2**30, 2**30 + 2**20, 2**30, 2**31]  # bytes before and after two cases
    monkeypatch.setattr("benchmarks.fuzz.peak_memory", lambda: peaks.pop(0))
    with little_memory():
        pass
    with pytest.raises(AssertionError, match="1024 MB of memory for one case"), little_memory():
        pass
