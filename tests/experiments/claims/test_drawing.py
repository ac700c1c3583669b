"""Lines of several seeds: means, ranges, limits that hold all of them."""

from itertools import combinations

import numpy as np
import pytest

from metalocus.experiments.claims.base import CLAIMS
from metalocus.experiments.claims.drawing import lines_by_number
from metalocus.experiments.shipped import read

SHOWN = [
    {"a task": {"agent": {"10": 0.2, "100": 0.4}, "rule": {"1": 0.5, "10": None}}},
    {"a task": {"agent": {"10": 0.4, "100": 0.8}, "rule": {"1": 0.7, "10": None}}},
]


def test_lines_are_means_over_seeds_at_their_numbers():
    figure = lines_by_number(SHOWN, "budget", "score", references=("rule",))
    (ax,) = figure.axes
    agent, rule = ax.lines
    assert agent.get_xdata().tolist() == [10.0, 100.0]
    assert agent.get_ydata().tolist() == pytest.approx([0.3, 0.6])
    assert np.isnan(rule.get_ydata()[1])  # no number at any seed
    assert (rule.get_color(), rule.get_linestyle()) == ("black", "--")
    low, high = ax.get_xlim()
    assert low < 1.0 < 100.0 < high
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["agent", "rule"]


def test_a_panel_for_each_task():
    two = [{**seed, "another": seed["a task"]} for seed in SHOWN]
    figure = lines_by_number(two, "budget", "score", linear=True)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a task", "another"]
    assert {ax.get_xscale() for ax in figure.axes} == {"linear"}


def test_no_title_of_a_shipped_claim_s_figure_lies_on_another_or_runs_out_of_it():
    drawn = 0
    for verdict in read.shipped_debate()["verdicts"]:
        figure = CLAIMS[verdict["claim"]].drawn(verdict["shown"]) if verdict["shown"] else None
        if figure is None:
            continue
        drawn += 1
        figure.draw_without_rendering()
        titles = [t for ax in figure.axes for t in (ax.title, ax._left_title, ax._right_title)]
        boxes = [(t.get_text(), t.get_window_extent()) for t in titles if t.get_text()]
        for name, box in boxes:
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, (verdict["claim"], name)
        for (one, box), (other, beside) in combinations(boxes, 2):
            assert not box.overlaps(beside), (verdict["claim"], one, other)
    assert drawn >= 8
