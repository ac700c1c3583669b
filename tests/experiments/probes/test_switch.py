"""The cost of a switch: zero for who responds perfectly, planted costs found."""

import numpy as np
import pytest

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.probes.switch import Switch, by_kind, by_repetition, cost
from metalocus.experiments.scoring.sample import Sample

CUED = "metalocus/CuedSwitching-v0"


def of_trials(sums):
    """The cost from sums of one chunk."""
    sample = Sample()
    sample.add(sums)
    return cost(sample)


class Sluggish:
    """Obeys the cue, but guesses with chance 0.4 when the task has just changed."""

    omniscient = False

    def __init__(self, family):
        self.obedient = make_named("key_memory", family)

    def start(self, n, rng):
        return Stores(state={"task": np.full(n, -1), **self.obedient.start(n, rng).state})

    def act(self, stimulus, stores):
        probs, after = self.obedient.act(stimulus, stores)
        task = stimulus[:, :2].argmax(axis=1)
        slow = ((stores.state["task"] != task) & (stores.state["task"] >= 0))[:, None]
        return np.where(slow, 0.6 * probs + 0.4 * 0.5, probs), Stores(
            state={**after.state, "task": task}
        )

    def learn(self, stores, stimulus, action, reward):
        return stores


def test_by_hand():
    task = np.array([[0, 0], [0, 1], [1, 1], [1, 0]])
    performance = np.array([[9.0, 9.0], [1.0, 0.2], [0.4, 0.8], [0.9, 0.6]])
    found = of_trials(by_repetition(performance, task))
    assert found["one"] == pytest.approx((1.0 + 0.9 + 0.8) / 3)
    assert found["other"] == pytest.approx((0.4 + 0.2 + 0.6) / 3)
    assert found["cost"] == pytest.approx(0.5)


@pytest.mark.parametrize("kwargs", [{}, {"hazard": 0.2}, {"run_length": 2}])
def test_who_obeys_the_cue_has_no_cost(kwargs):
    family = make_family(CUED, **kwargs)
    found = Switch().run(make_named("key_memory", family), Setting(CUED, **kwargs), 50)
    for effect in ("switch", "congruence"):
        assert found[effect] == {"one": 1.0, "other": 1.0, "cost": 0.0, "cost_se": 0.0}


def test_a_planted_cost_is_found_and_congruence_has_none():
    """Four standard errors: rate 1e-4."""
    found = Switch().run(Sluggish(make_family(CUED)), Setting(CUED), episodes=300)
    assert found["switch"]["one"] == 1.0
    assert found["switch"]["cost"] == pytest.approx(0.2)
    congruence = found["congruence"]
    assert abs(congruence["cost"]) < 4 * congruence["cost_se"]


def test_who_confuses_the_tasks_errs_on_incongruent_digits_alone():
    class OneTask(Sluggish):
        """Answers the same question always."""

        def act(self, stimulus, stores):
            asked = np.concatenate([np.tile([1.0, 0.0], (len(stimulus), 1)), stimulus[:, 2:]], 1)
            return self.obedient.act(asked, stores)

    found = Switch().run(OneTask(make_family(CUED)), Setting(CUED), episodes=300)
    assert found["congruence"]["one"] == 1.0
    assert found["congruence"]["other"] == pytest.approx(0.5, abs=0.05)


def test_the_standard_error_is_that_of_repeated_samples():
    """Of the pooled difference, over 300 sets of 100 episodes."""
    rng = np.random.default_rng(0)
    costs, errors = [], []
    for _ in range(300):
        ability, task = rng.normal(size=100), rng.integers(2, size=(12, 100))
        found = of_trials(by_repetition(ability + rng.normal(size=(12, 100)), task))
        costs.append(found["cost"])
        errors.append(found["cost_se"])
    assert np.mean(errors) == pytest.approx(np.std(costs), rel=0.2)


def test_where_no_trial_is_of_a_kind_there_is_no_number():
    never, always = np.zeros((4, 3), bool), np.ones((4, 3), bool)
    found = of_trials(by_kind(np.ones((4, 3)), always, never))
    assert found == {"one": 1.0, "other": None, "cost": None, "cost_se": None}


def test_other_families_have_no_switch_cost():
    reversal = "metalocus/ReversalBandit-v0"
    with pytest.raises(InvalidTask, match="those of CuedSwitching"):
        Switch().run(make_named("random", make_family(reversal)), Setting(reversal), episodes=5)
