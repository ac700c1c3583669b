"""What long work says: lines where there is no terminal, a bar where there is one."""

import io
import logging
import sys

import pytest
from rich.console import Console

from metalocus.experiments import display
from metalocus.experiments.display import LOG, Stage, duration, hush, show_lines


@pytest.fixture
def shown():
    """Lines are shown, as on the command line, and no more afterwards."""
    show_lines()
    yield
    LOG.handlers.clear()
    LOG.propagate = True
    LOG.setLevel(logging.NOTSET)


def work():
    with Stage("digging", 4, "holes") as stage:
        for count in range(1, 5):
            stage.update(count)
            stage.finished(f"hole {count}", count, 4)


def test_every_finished_part_is_a_line(shown, capsys):
    work()
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.partition(" holes, ")[0] for line in lines] == [
        f"metalocus: digging: {count} of 4" for count in range(1, 5)
    ]
    assert all("hole" in line and line.endswith(" left") for line in lines[:3])
    assert lines[3] == "metalocus: digging: 4 of 4 holes, hole 4"


def test_what_goes_on_is_a_line_now_and_then(shown, capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    with Stage("training", 1_000_000, "steps") as stage:
        for step in range(0, 1_000_000, 10_000):
            now[0] += 1.0
            stage.advance(step, "return 3")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "metalocus: training: 4% of 1,000,000 steps, return 3, 2 min left"


def test_of_work_without_a_known_end_what_is_done_is_told(shown, capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    with Stage("locus", None, "episodes played") as stage:
        for _ in range(8):
            now[0] += 2.0
            stage.count(1000)
    assert capsys.readouterr().err.splitlines() == [
        "metalocus: locus: 3,000 episodes played",
        "metalocus: locus: 8,000 episodes played",
    ]
    screen = io.StringIO()
    monkeypatch.setattr(
        display, "Console", lambda **_: Console(file=screen, force_terminal=True, width=80)
    )
    with Stage("locus", None, "episodes played") as stage:
        stage.count(1000)
    assert "locus, 1,000 episodes played" in screen.getvalue()


def test_nobody_is_told_who_does_not_ask(capsys):
    work()
    assert capsys.readouterr() == ("", "")


def test_quiet_is_quiet_on_a_terminal_too(shown, capsys, monkeypatch):
    hush()
    work()
    assert capsys.readouterr() == ("", "")
    screen = io.StringIO()
    monkeypatch.setattr(
        display, "Console", lambda **_: Console(file=screen, force_terminal=True, width=80)
    )
    work()
    assert screen.getvalue() == ""
    hush(False)
    work()
    assert "digging" in screen.getvalue()
    assert capsys.readouterr() == ("", ""), "the bar alone"


def test_lines_go_to_what_standard_error_is_now(shown, monkeypatch):
    other = io.StringIO()
    monkeypatch.setattr(sys, "stderr", other)
    LOG.info("here")
    assert other.getvalue() == "metalocus: here\n"


def test_times_are_for_people():
    times = {0.2: "0 s", 41.4: "41 s", 89: "1 min", 3540: "59 min", 3600: "1 h 0 min"}
    times |= {7800: "2 h 10 min"}
    assert {seconds: duration(seconds) for seconds in times} == times
