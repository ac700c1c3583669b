"""Bayes on sorted arms against integration on a grid and recursion over histories."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from metalocus.agents.agent import EXACT, NEAR
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.references.bernoulli.counts import cell
from metalocus.agents.references.bernoulli.position import SortedArms, position_plan
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family

POSITION, BANDIT = "metalocus/PositionBandit-v0", "metalocus/BernoulliBandit-v0"


def posterior_means(wins, losses, chance, points=80):
    """Posterior means of the arms by brute force on a grid of all means, [K]."""
    side = (np.arange(points) + 0.5) / points
    grid = np.meshgrid(*[side] * len(wins), indexing="ij")
    likelihood = np.ones_like(grid[0])
    for p, s, f in zip(grid, wins, losses, strict=True):
        likelihood *= p**s * (1.0 - p) ** f
    order = np.ones_like(likelihood)
    for low, high in pairwise(grid):
        order *= np.where(low < high, 1.0, np.where(low == high, 0.5, 0.0))
    prior = chance * order / order.mean() + (1.0 - chance)
    density = prior * likelihood
    return np.array([(p * density).sum() / density.sum() for p in grid])


def test_posterior_means_are_those_of_the_grid():
    for wins, losses in (([2, 0], [0, 3]), ([0, 4], [1, 0]), ([3, 1, 0], [0, 2, 2])):
        for chance in (0.0, 0.6, 1.0):
            arms = SortedArms(len(wins), 10, chance)
            found = arms.means(cell(np.array([wins]), np.array([losses]), 9))[0]
            np.testing.assert_allclose(found, posterior_means(wins, losses, chance), atol=6e-4)


def test_it_is_sure_of_the_order_only_as_far_as_the_evidence_lets_it():
    """By hand, two arms, nothing pulled: sorted means are 1/3 and 2/3."""
    for chance in (0.0, 0.5, 1.0):
        means = SortedArms(2, 5, chance).means(np.array([[0, 0]]))[0]
        np.testing.assert_allclose(means, [0.5 - chance / 6.0, 0.5 + chance / 6.0], atol=1e-12)


def test_the_plan_is_the_optimum_of_a_recursion_over_histories():
    @cache
    def optimum(counts, left):
        if not left:
            return 0.0
        means = posterior_means(counts[:2], counts[2:], 0.7, points=200)
        worths = []
        for arm in (0, 1):
            after = []
            for place in (arm, 2 + arm):
                more = list(counts)
                more[place] += 1
                after.append(optimum(tuple(more), left - 1))
            worths.append(means[arm] * (1.0 + after[0]) + (1.0 - means[arm]) * after[1])
        return max(worths)

    assert position_plan(2, 4, 0.7).optimal_return == pytest.approx(
        optimum((0, 0, 0, 0), 4), abs=1e-3
    )


def test_what_is_known_of_its_two_ends():
    plain = make_named("bayes_optimal", make_family(BANDIT, horizon=12)).optimal_return
    assert position_plan(2, 12, 0.0).optimal_return == pytest.approx(plain, abs=1e-9)
    assert position_plan(2, 12, 1.0).optimal_return == pytest.approx(12 * 2 / 3, abs=1e-9)
    assert position_plan(3, 6, 1.0).optimal_return == pytest.approx(6 * 3 / 4, abs=1e-9)


def test_it_earns_what_the_plan_says_and_more_than_without_positions():
    setting = Setting(POSITION, horizon=20)
    value = {
        name: rollout(make_named(name, setting.family), fresh_episodes(setting, 2000, 0)).value
        for name in ("position_bayes", "position_blind")
    }
    known, blind = (each.sum(axis=0) for each in value.values())
    expected = position_plan(2, 20, 0.8).optimal_return
    assert known.mean() == pytest.approx(expected, abs=4 * known.std() / 2000**0.5)
    gain = known - blind
    assert gain.mean() > 4 * gain.std() / 2000**0.5


def test_mirrored_arms_mirror_the_choices():
    stimulus, rng = np.zeros((50, 0)), np.random.default_rng(0)
    for kwargs in ({"horizon": 12}, {"n_arms": 3, "horizon": 30}):
        one, other = (
            make_named("position_bayes", make_family(POSITION, **kwargs, best_last=last))
            for last in (True, False)
        )
        arms, (a, b) = one.n_arms, (policy.start(50, rng) for policy in (one, other))
        for _ in range(6):
            action, reward = rng.integers(arms, size=50), rng.integers(2, size=50).astype(float)
            a = one.learn(a, stimulus, action, reward)
            b = other.learn(b, stimulus, arms - 1 - action, reward)
        np.testing.assert_allclose(one.values(a), other.values(b)[:, ::-1], atol=1e-12)


def test_how_near_to_the_optimum_each_is_said_to_be():
    for kwargs, which, exact in (
        ({}, "position_bayes", EXACT),
        ({"n_arms": 3, "horizon": 30}, "position_bayes", NEAR),
        ({"n_arms": 3, "horizon": 30, "correlation": 1.0}, "position_bayes", EXACT),
        ({"correlation": 0.0}, "position_blind", EXACT),
    ):
        family = make_family(POSITION, **kwargs)
        assert make_named(which, family).optimality(family) == exact, kwargs
        assert best_reference(family).name == "position_bayes", kwargs
    with pytest.raises(InvalidTask, match="160 trials and arms"):
        make_named("position_bayes", make_family(POSITION, horizon=200))


def test_arms_that_are_surely_sorted_are_not_explored():
    setting = Setting(POSITION, n_arms=5, horizon=30, correlation=1.0)
    trace = rollout(make_named("position_bayes", setting.family), fresh_episodes(setting, 20, 0))
    np.testing.assert_array_equal(trace.action, 4)
