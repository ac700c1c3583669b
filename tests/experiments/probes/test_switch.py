"""The cost of a switch: zero for who responds perfectly, planted costs found."""

import numpy as np
import pytest

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


def measured(name, episodes, **kwargs):
    """What is found of a named agent."""
    return Switch().run(
        make_named(name, make_family(CUED, **kwargs)), Setting(CUED, **kwargs), episodes
    )


def test_by_hand():
    """Of the second trial on: who repeats a task is compared where it was asked as often before."""
    task = np.array([[0, 0], [0, 1], [1, 1], [0, 0], [1, 1]])
    performance = np.array([[9.0, 9.0], [1.0, 0.2], [0.4, 0.8], [0.9, 0.6], [0.5, 0.1]])
    # asked before: [1, 0], [0, 1], [2, 1], [1, 2]; those never asked have no repetition beside them
    # asked once: repeated 1 and .8, switched .6 and .5; asked twice: switched alone
    found = of_trials(by_repetition(performance, task))
    assert found["one"] == pytest.approx(0.9)
    assert found["other"] == pytest.approx(0.55)
    assert found["cost"] == pytest.approx(0.35)


def test_classes_count_by_how_many_trials_they_compare():
    """A gap of 1 in one trial of each kind, and of .2 in one beside three: weights 1/2 and 3/4."""
    kinds = np.array([[1, 0, 1, 1, 1, 0]]).T.astype(bool)
    classes = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1]], bool)[..., None]
    performance = np.array([[1.0, 0.0, 0.5, 0.5, 0.5, 0.3]]).T
    found = of_trials(by_kind(performance, kinds, ~kinds, classes))
    assert found["cost"] == pytest.approx((0.5 * 1 + 0.75 * 0.2) / 1.25)


@pytest.mark.parametrize("kwargs", [{}, {"hazard": 0.2}, {"run_length": 2}])
def test_who_obeys_the_cue_has_no_cost(kwargs):
    found = measured("key_memory", 50, **kwargs)
    for effect in ("switch", "congruence"):
        assert found[effect] == {"one": 1.0, "other": 1.0, "cost": 0.0, "cost_se": 0.0}


def test_a_planted_cost_is_found():
    """The old question is answered at .4 of switches, wrongly for the incongruent half of digits.

    Four standard errors: rate 1e-4.
    """
    found = measured("sluggish", 300)
    assert found["switch"]["one"] == 1.0
    for effect, planted in (("switch", 0.2), ("congruence", 0.2 * 49 / 50)):
        error = found[effect]["cost_se"]
        assert found[effect]["cost"] == pytest.approx(planted, abs=4 * error)
        assert error < 0.01
    switch, *later = found["place"].values()
    assert switch == pytest.approx(0.8, abs=0.02)
    assert later == [1.0] * 3


def test_learning_the_keys_is_no_cost_of_a_change():
    """The first trial of a task is a switch, and is answered by chance: a naive cost of 1/24.5."""
    for kwargs in ({"new_keys": True}, {"new_keys": True, "run_length": 3, "horizon": 20}):
        found = measured("key_memory", 300, **kwargs)
        assert found["switch"] == {"one": 1.0, "other": 1.0, "cost": 0.0, "cost_se": 0.0}
        assert set(found["place"].values()) <= {1.0, None}


def test_a_steady_rise_with_practice_is_no_cost_of_a_change():
    """Performance by practice alone: n / (n + 2) after n trials of a task, whatever was before."""
    rng = np.random.default_rng(0)
    task = rng.integers(2, size=(50, 4000))
    asked = np.where(task, np.cumsum(task, axis=0) - 1, np.cumsum(1 - task, axis=0) - 1)
    performance = asked / (asked + 2.0)
    repeat = task[1:] == task[:-1]
    naive = performance[1:][repeat].mean() - performance[1:][~repeat].mean()
    assert naive > 0.03
    found = of_trials(by_repetition(performance, task))
    assert abs(found["cost"]) < 0.004  # what is left of it within a class of practice


def test_who_confuses_the_tasks_errs_on_incongruent_digits_alone():
    """Answers the same question always: right for half of the incongruent digits, no more."""
    obedient = make_named("key_memory", make_family(CUED))

    class OneTask(type(obedient)):
        def act(self, stimulus, stores):
            asked = np.concatenate([np.tile([1.0, 0.0], (len(stimulus), 1)), stimulus[:, 2:]], 1)
            return super().act(asked, stores)

    found = Switch().run(OneTask(make_family(CUED)), Setting(CUED), episodes=300)
    assert found["congruence"]["one"] == 1.0
    assert found["congruence"]["other"] == pytest.approx(0.5, abs=0.05)
    assert abs(found["switch"]["cost"]) < 4 * found["switch"]["cost_se"]


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


def test_the_standard_error_counts_that_weights_of_classes_vary():
    """The cost is 1 in one class and -1 in another; how often each comes differs by episode."""
    rng = np.random.default_rng(0)
    costs, errors = [], []
    for _ in range(300):
        often = rng.choice([0.1, 0.9], size=50)
        first = rng.random((12, 50)) < often
        one = rng.integers(2, size=(12, 50)).astype(bool)
        found = of_trials(by_kind(np.where(first, one, ~one), one, ~one, np.stack([first, ~first])))
        costs.append(found["cost"])
        errors.append(found["cost_se"])
    assert np.mean(errors) == pytest.approx(np.std(costs), rel=0.1)


def test_where_no_trial_is_of_a_kind_there_is_no_number():
    never, always = np.zeros((4, 3), bool), np.ones((4, 3), bool)
    found = of_trials(by_kind(np.ones((4, 3)), always, never))
    assert found == {"one": 1.0, "other": None, "cost": None, "cost_se": None}


def test_other_families_have_no_switch_cost():
    reversal = "metalocus/ReversalBandit-v0"
    with pytest.raises(InvalidTask, match="those of CuedSwitching"):
        Switch().run(make_named("random", make_family(reversal)), Setting(reversal), episodes=5)
