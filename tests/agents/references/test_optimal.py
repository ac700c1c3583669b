"""The exact optima against brute force over every history.

A task distribution is written out as atoms: ``weights`` [A] and the arms' means at every
trial, ``means`` [T, A, K]. Gauss-Legendre nodes are atoms that give polynomials of the
prior exactly, so a uniform prior needs no more than a few.
"""

from itertools import product

import numpy as np
import pytest

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.references.bernoulli.planning import count_states, exchangeable_plan
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting, make_family

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"


def worths(weights, means):
    """Optimal reward to come after each first pull, [K], by recursion over all that may follow."""
    if len(means) == 0:
        return np.zeros(1)
    totals = []
    for arm in range(means.shape[2]):
        total = 0.0
        for reward in (0, 1):
            joint = likelihood(weights, means[0], arm, reward)
            if joint.sum() > 0:
                chance = joint.sum() / weights.sum()
                total += chance * (reward + worths(joint, means[1:]).max())
        totals.append(total)
    return np.array(totals)


def likelihood(weights, means, arm, reward):
    """Weights [A] after a reward."""
    return weights * (means[:, arm] if reward else 1.0 - means[:, arm])


def played(policy, weights, means, stores=None):
    """Expected return of a policy from one episode's stores, by recursion over its histories."""
    if len(means) == 0:
        return 0.0
    nothing = np.zeros((1, 0))
    stores = policy.start(1, np.random.default_rng(0)) if stores is None else stores
    probs, stores = policy.act(nothing, stores)
    total = 0.0
    for arm in np.flatnonzero(probs[0]):
        for reward in (0, 1):
            joint = likelihood(weights, means[0], arm, reward)
            if joint.sum() > 0:
                after = policy.learn(stores, nothing, np.array([arm]), np.array([float(reward)]))
                chance = probs[0, arm] * joint.sum() / weights.sum()
                total += chance * (reward + played(policy, joint, means[1:], after))
    return total


def histories(policy, weights, means):
    """Every possible history as (stores, weights, means to come), the first trial's included."""
    nothing = np.zeros((1, 0))
    level = [(policy.start(1, np.random.default_rng(0)), weights)]
    for t in range(len(means)):
        yield from ((stores, posterior, means[t:]) for stores, posterior in level)
        following = []
        for stores, posterior in level:
            for arm, reward in product(range(means.shape[2]), (0, 1)):
                joint = likelihood(posterior, means[t], arm, reward)
                if joint.sum() > 0:
                    taken = policy.learn(
                        stores, nothing, np.array([arm]), np.array([float(reward)])
                    )
                    following.append((taken, joint))
        level = following


def uniform_atoms(n_arms, horizon, nodes=6):
    """Independent U[0,1] arms, exact to degree 2 * nodes - 1."""
    z, w = np.polynomial.legendre.leggauss(nodes)
    x = (1 + z) / 2
    means = np.array(list(product(x, repeat=n_arms)))
    weights = np.array([np.prod(one) for one in product(w / 2, repeat=n_arms)])
    return weights, np.broadcast_to(means, (horizon, *means.shape))


def dependent_atoms(prior, horizon):
    """Two arms with p2 = 1 - p1."""
    if prior == "dependent":
        weights, means = uniform_atoms(1, 1)
        first = means[0, :, 0]
    else:
        low = {"easy": 0.1, "medium": 0.25, "hard": 0.4}[prior]
        weights, first = np.array([0.5, 0.5]), np.array([low, 1 - low])
    means = np.stack([first, 1 - first], axis=1)
    return weights, np.broadcast_to(means, (horizon, *means.shape))


def reversal_atoms(p, hazard, horizon):
    """Every hidden sequence of good arms."""
    good = np.array(list(product((0, 1), repeat=horizon)))
    switched = good[:, 1:] != good[:, :-1]
    weights = 0.5 * np.where(switched, hazard, 1 - hazard).prod(axis=1)
    means = np.where(np.arange(2) == good.T[:, :, None], p, 1 - p)
    return weights[weights > 0], means[:, weights > 0]


@pytest.mark.parametrize(("n_arms", "horizon"), [(2, 1), (2, 4), (3, 2), (3, 3), (4, 2)])
def test_bayes_optimal_values_are_those_of_brute_force(n_arms, horizon):
    policy = make_named("bayes_optimal", make_family(BANDIT, n_arms=n_arms, horizon=horizon))
    for stores, weights, means in histories(policy, *uniform_atoms(n_arms, horizon)):
        np.testing.assert_allclose(policy.values(stores)[0], worths(weights, means), atol=1e-10)


@pytest.mark.parametrize("prior", ["dependent", "easy", "medium", "hard"])
def test_bayes_optimal_values_under_dependent_arms(prior):
    policy = make_named("bayes_optimal", make_family(BANDIT, horizon=4, prior=prior))
    for stores, weights, means in histories(policy, *dependent_atoms(prior, 4)):
        np.testing.assert_allclose(policy.values(stores)[0], worths(weights, means), atol=1e-10)


@pytest.mark.parametrize("prior", ["uniform", "dependent", "easy", "hard"])
def test_optimal_return_is_what_the_policy_earns_and_nothing_earns_more(prior):
    family = make_family(BANDIT, horizon=4, prior=prior)
    atoms = uniform_atoms(2, 4) if prior == "uniform" else dependent_atoms(prior, 4)
    policy = make_named("bayes_optimal", family)
    assert policy.optimal_return == pytest.approx(worths(*atoms).max(), abs=1e-10)
    assert played(policy, *atoms) == pytest.approx(policy.optimal_return, abs=1e-10)
    for name in ("finite_index", "gittins", "thompson", "greedy", "random"):
        assert played(make_named(name, family), *atoms) <= policy.optimal_return + 1e-10


def test_bayes_optimal_under_a_beta_prior_by_hand():
    """Two trials under Beta(1/2, 3/2): stay after a success (mean 1/2), else move (1/4)."""
    policy = make_named("bayes_optimal", make_family(BANDIT, horizon=2, prior="beta(0.5,1.5)"))
    assert policy.optimal_return == pytest.approx(1 / 4 + 1 / 4 * 1 / 2 + 3 / 4 * 1 / 4)


@pytest.mark.parametrize(
    ("n_arms", "horizon", "total"),
    [(2, 10, 6.022), (5, 10, 6.660), (10, 10, 6.714), (50, 10, 6.714)],
)
def test_known_optimal_totals(n_arms, horizon, total):
    policy = make_named("bayes_optimal", make_family(BANDIT, n_arms=n_arms, horizon=horizon))
    assert policy.optimal_return == pytest.approx(total, abs=5e-4)


def test_two_arms_of_sixty_trials_earn_their_optimal_return():
    family = make_family(BANDIT, n_arms=2, horizon=60)
    policy = make_named("bayes_optimal", family)
    trace = rollout(policy, fresh_episodes(Setting(BANDIT, n_arms=2, horizon=60), 6000, 3))
    error = trace.total.std() / 6000**0.5
    assert trace.total.mean() == pytest.approx(policy.optimal_return, abs=4 * error)


def test_values_do_not_depend_on_the_batch_a_row_is_in():
    """Rows of different trials, as an intervention makes them, are each looked up at their own."""
    policy = make_named("bayes_optimal", make_family(BANDIT, n_arms=3, horizon=9))
    rng = np.random.default_rng(0)
    pulls = np.array([rng.multinomial(t, [0.5, 0.3, 0.2]) for t in rng.integers(9, size=40)])
    successes = rng.binomial(pulls, 0.5)
    state = {"successes": successes.astype(float), "failures": (pulls - successes).astype(float)}
    stores = Stores(state=state)
    one_by_one = [policy.values(stores.rows(np.array([row])))[0] for row in range(40)]
    np.testing.assert_array_equal(policy.values(stores), one_by_one)


def test_with_no_pull_left_an_arm_is_worth_its_mean():
    policy = make_named("bayes_optimal", make_family(BANDIT, n_arms=3, horizon=2))
    state = {"successes": np.array([[1.0, 0.0, 0.0]]), "failures": np.array([[0.0, 1.0, 0.0]])}
    np.testing.assert_allclose(policy.values(Stores(state=state)), [[2 / 3, 1 / 3, 1 / 2]])


@pytest.mark.parametrize(("arms", "horizon"), [(1, 6), (2, 9), (4, 7), (8, 8)])
def test_states_are_counted_without_making_them(arms, horizon):
    plan = exchangeable_plan(arms, horizon, (1.0, 1.0))
    assert count_states(arms, horizon) == sum(len(keys) for keys in plan.keys)


EDGES = [
    (0.75, 0.05),
    (0.9, 0.3),
    (0.2, 0.1),
    (1.0, 0.2),
    (0.0, 0.2),
    (0.5, 0.1),
    (0.8, 0.0),
    (0.8, 1.0),
    (1.0, 0.0),
    (0.0, 1.0),
]


@pytest.mark.parametrize(("p", "hazard"), EDGES)
def test_filter_is_exact_on_every_history(p, hazard):
    policy = make_named("filter", make_family(REVERSAL, p=p, hazard=hazard, horizon=5))
    for stores, weights, means in histories(policy, *reversal_atoms(p, hazard, 5)):
        expected = weights @ means[0] / weights.sum()
        np.testing.assert_allclose(policy.values(stores)[0], expected, atol=1e-12)
        assert stores.state["belief"].sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("p", "hazard"), EDGES)
def test_no_policy_earns_more_than_greed_on_the_filter(p, hazard):
    policy = make_named("filter", make_family(REVERSAL, p=p, hazard=hazard, horizon=5))
    atoms = reversal_atoms(p, hazard, 5)
    assert played(policy, *atoms) == pytest.approx(worths(*atoms).max(), abs=1e-12)


def test_what_follows_is_worth_the_same_after_either_arm():
    """So the filter's values, without it, are off by a constant alone."""
    policy = make_named("filter", make_family(REVERSAL, p=0.8, hazard=0.1, horizon=4))
    for stores, weights, means in histories(policy, *reversal_atoms(0.8, 0.1, 4)):
        rest = worths(weights, means) - policy.values(stores)[0]
        assert rest[0] == pytest.approx(rest[1], abs=1e-12)


def test_cued_filter_takes_the_cue_for_certain_and_expects_a_switch_at_the_hazard():
    policy = make_named("filter", make_family(REVERSAL, p=0.75, hazard=0.1, cued=True))
    cue = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    probs, stores = policy.act(cue, policy.start(2, np.random.default_rng(0)))
    np.testing.assert_array_equal(probs, cue)
    np.testing.assert_allclose(policy.values(stores), [[0.25, 0.75], [0.75, 0.25]])
    stores = policy.learn(stores, cue, np.array([1, 1]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(stores.state["belief"], [[0.1, 0.9], [0.9, 0.1]])


def test_cued_filter_pulls_the_better_arm_at_every_trial():
    kwargs = {"p": 0.3, "hazard": 0.4, "cued": True, "horizon": 30}
    policy = make_named("filter", make_family(REVERSAL, **kwargs))
    trace = rollout(policy, fresh_episodes(Setting(REVERSAL, **kwargs), 50, 0))
    np.testing.assert_allclose(trace.value, 0.7)


def test_a_reward_held_impossible_leaves_no_belief():
    policy = make_named("filter", make_family(REVERSAL, p=1.0, hazard=0.0))
    sure = Stores(state={"belief": np.array([[1.0, 0.0]])})
    after = policy.learn(sure, np.zeros((1, 0)), np.array([0]), np.array([0.0]))
    np.testing.assert_array_equal(after.state["belief"], [[0.5, 0.5]])
