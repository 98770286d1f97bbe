"""How far long work is: a bar on a terminal, lines elsewhere."""

import sys

import pytest

from src.progress import Progress


def test_progress_is_a_bar_that_goes_away(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress(2) as progress:
        progress.within(1, 4, "total 3.5")
        progress.finish_part("out.png")
        progress.within(4, 8)
    out, err = capsys.readouterr()
    assert out == "out.png\n" and " 12%|" in err and "total 3.5" in err and " 75%|" in err and "?<" not in err[-20:]
    assert err.endswith("\r") and not err.rsplit("\r", 2)[1].strip()


def test_progress_without_tqdm_is_a_line_for_each_report(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with Progress(1) as progress:
        progress.within(1, 4)
        progress.within(2, 4, "total 3.5")
        progress.finish_part("out.png")
    assert capsys.readouterr() == ("out.png\n", "2/4  total 3.5\n")


def test_progress_without_a_terminal_is_a_line_each(capsys):
    with Progress(1) as progress:
        progress.within(2, 4, "total 3.5")
        progress.within(3, 4)
        progress.within(4, 4, "total 3.1")
    assert capsys.readouterr().err == "2/4  total 3.5\n4/4  total 3.1\n"
