"""Lines of several seeds: means, ranges, limits that hold all of them."""

import numpy as np
import pytest

from metalocus.experiments.claims.drawing import lines_by_number

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
