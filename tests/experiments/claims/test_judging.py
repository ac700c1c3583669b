"""Judging: task by task, one correction for all that could come out either way."""

import pytest

from metalocus.experiments.claims.judging import judged
from metalocus.experiments.scoring.intervals import holm, tails

HIGH, LOW, SPREAD = [0.60, 0.61, 0.62], [0.40, 0.41, 0.42], [0.2, 0.6, 0.9]


def prediction(relation=">=", bound=0.5, quantity="q", built=False):
    return {
        **{"quantity": quantity, "relation": relation, "bound": bound},
        "by_construction": built,
    }


def test_tasks_that_disagree_are_not_pooled():
    quantities, (found,) = judged({"q": {"a": HIGH, "b": LOW, "c": SPREAD}}, [prediction()])
    outcomes = {task: each["verdict"] for task, each in found["tasks"].items()}
    assert outcomes == {"a": "supported", "b": "refuted", "c": "undecided"}
    assert found["verdict"] == "mixed"
    assert quantities["q"]["a"]["estimate"] == pytest.approx(0.61)
    assert found["tasks"]["c"]["more_seeds"] > 0
    _, (same,) = judged({"q": {"a": HIGH, "b": HIGH}}, [prediction()])
    assert same["verdict"] == "supported"


def test_all_that_can_fail_is_corrected_together_and_what_is_built_is_not():
    values = {"q": {"a": HIGH, "b": SPREAD}, "r": {"a": LOW}}
    predictions = [prediction(), prediction("<=", 0.5, "r"), prediction("<=", 0.5, "r", True)]
    _, (first, second, built) = judged(values, predictions)
    single = [tails(each, ">=", 0.5).both for each in (HIGH, SPREAD, LOW)]
    told = [first["tasks"]["a"]["p"], first["tasks"]["b"]["p"], second["tasks"]["a"]["p"]]
    assert told == pytest.approx(holm(single))
    assert built["tasks"]["a"]["p"] == pytest.approx(single[2])
    assert told[2] > single[2]


def test_opposite_predictions_of_one_border_are_one_test():
    _, (one, other) = judged({"q": {"a": HIGH}}, [prediction(), prediction("<=")])
    assert (one["verdict"], other["verdict"]) == ("supported", "refuted")
    alone = tails(HIGH, ">=", 0.5).both
    assert one["tasks"]["a"]["p"] == other["tasks"]["a"]["p"] == pytest.approx(alone)


def test_a_seed_without_a_number_leaves_the_task_open():
    quantities, (found,) = judged({"q": {"a": [0.6, None, 0.6], "b": HIGH}}, [prediction()])
    assert found["tasks"]["a"] == {"verdict": "undecided", "p": None, "more_seeds": None}
    assert quantities["q"]["a"]["estimate"] is None
    assert found["tasks"]["b"]["verdict"] == "supported"
    assert found["tasks"]["b"]["p"] == pytest.approx(tails(HIGH, ">=", 0.5).both)
