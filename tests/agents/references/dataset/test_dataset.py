"""References of labelled examples: exact ones by enumeration, the others by other means."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier

from metalocus.agents.agent import EXACT, NEAR
from metalocus.agents.catalogue import REFERENCES, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.experiments.scoring.returns import returns

DATASET = "metalocus/DatasetBandit-v0"
FORMS = [{}, {"sequence": True}]
LABELLED = [
    ("ridge", {"rule": "linear"}),
    ("ridge", {"rule": "neighbour", "n_arms": 3}),
    ("nearest_neighbours", {"rule": "linear", "noise": 0.3}),
    ("nearest_neighbours", {"rule": "neighbour", "n_arms": 3}),
    ("assumed_density", {"rule": "linear"}),
    ("assumed_density", {"rule": "linear", "noise": 0.3}),
]
PLAYS = [("posterior", {"n_arms": 3}), *LABELLED]


def at_the_query(name, kwargs, n=200, seed=0):
    """Choices of a policy at the first query, [N, K], and the task's latents."""
    trace = rollout(
        make_named(name, make_family(DATASET, **kwargs)),
        fresh_episodes(Setting(DATASET, **kwargs), n, seed),
    )
    first = make_family(DATASET, **kwargs).asks_at
    return trace.probs[first], fresh_episodes(Setting(DATASET, **kwargs), n, seed).latents


def optimum(counts, choices):
    """Plain recursion: worth of each arm of Beta posteriors, with that many choices left."""
    worths = []
    for arm, (a, b) in enumerate(counts):
        mean = privileged_value = Fraction(a, a + b)
        if choices > 1:
            for more, chance in (((a + 1, b), mean), ((a, b + 1), 1 - mean)):
                then = [*counts[:arm], more, *counts[arm + 1 :]]
                privileged_value += chance * max(optimum(then, choices - 1))
        worths.append(privileged_value)
    return worths


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(
    n_arms=st.integers(2, 4), m=st.integers(1, 7), again=st.booleans(), seed=st.integers(0, 2**32)
)
def test_posterior_is_the_optimum_by_enumeration(form, n_arms, m, again, seed):
    kwargs = {"n_arms": n_arms, "n_examples": m, "again": again, **form}
    family, n = make_family(DATASET, **kwargs), 6
    policy, episodes = (
        make_named("posterior", family),
        make_episodes(DATASET, seed_keys(seed, n), **kwargs),
    )
    examples = episodes.latents["examples"]
    counts = [[[1, 1] for _ in range(n_arms)] for _ in range(n)]
    for row in range(n):
        for *arm, reward in examples[row]:
            counts[row][arm.index(1.0)][int(1 - reward)] += 1
    stores = policy.start(n, np.random.default_rng(0))
    for t in range(family.horizon):
        stimulus = episodes.stimulus()
        probs, stores = policy.act(stimulus, stores)
        action = np.random.default_rng(t).integers(n_arms, size=n)
        left = family.horizon - max(t, family.asks_at)
        if t < family.asks_at:
            np.testing.assert_allclose(probs, 1 / n_arms)
        else:
            expected = [optimum([tuple(c) for c in one], left) for one in counts]
            np.testing.assert_allclose(
                policy.values(stores), np.array(expected, dtype=float), atol=1e-12
            )
            assert all(
                {k for k in range(n_arms) if probs[row, k] > 0}
                == {k for k in range(n_arms) if privileged_value[k] == max(privileged_value)}
                for row, privileged_value in enumerate(expected)
            )
        reward, _ = episodes.step(action)
        stores = policy.learn(stores, stimulus, action, reward)
        for row in range(n if t >= family.asks_at else 0):
            counts[row][action[row]][int(1 - reward[row])] += 1


def test_posterior_of_shuffled_evidence_stays_after_a_win_and_shifts_after_a_loss():
    """Exchangeable arms: E[m_a m_a] ≥ E[m_a m_b], whatever the evidence says of the set."""
    kwargs = {"n_arms": 3, "again": True, "shuffled": True}
    trace = rollout(
        make_named("posterior", make_family(DATASET, **kwargs)),
        fresh_episodes(Setting(DATASET, **kwargs), 200, 0),
    )
    np.testing.assert_allclose(trace.probs[0], 1 / 3)
    chosen = np.arange(3) == trace.action[0][:, None]
    won = trace.reward[0][:, None] > 0.5
    np.testing.assert_allclose(trace.probs[1], np.where(won, chosen, ~chosen / 2))
    policy = make_named("posterior", make_family(DATASET, **kwargs))
    assert policy.values(policy.start(1, np.random.default_rng(0))) is None, (
        "no sum of rewards to come is known"
    )


def test_posterior_earns_its_exact_return():
    """Enumerated over all datasets of two arms and three examples; four standard errors."""
    m, expected = 3, Fraction(0)
    for arms in product(range(2), repeat=m):
        for rewards in product(range(2), repeat=m):
            counts, likelihood = [[1, 1], [1, 1]], Fraction(1, 2**m)
            for arm, reward in zip(arms, rewards, strict=True):
                a, b = counts[arm]
                likelihood *= Fraction(a if reward else b, a + b)
                counts[arm][1 - reward] += 1
            expected += likelihood * max(Fraction(a, a + b) for a, b in counts)
    kwargs = {"n_examples": m}
    found = returns(
        make_named("posterior", make_family(DATASET, **kwargs)),
        Setting(DATASET, **kwargs),
        20_000,
        0,
    )
    assert found.mean() == pytest.approx(float(expected), abs=4 * found.std() / 20_000**0.5)


@pytest.mark.parametrize(("name", "kwargs"), PLAYS)
def test_both_forms_are_played_alike(name, kwargs):
    one, other = (at_the_query(name, {**kwargs, **form})[0] for form in FORMS)
    np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize(("name", "kwargs"), PLAYS)
@pytest.mark.parametrize("form", FORMS)
def test_shuffled_evidence_is_of_no_use(name, kwargs, form):
    """Four standard errors about the random policy's reward."""
    more = {**kwargs, **form, "shuffled": True}
    total = returns(
        make_named(name, make_family(DATASET, **more)), Setting(DATASET, **more), 4000, 0
    )
    chance = 0.5 if kwargs.get("rule") is None else 1 / kwargs.get("n_arms", 2)
    assert total.mean() == pytest.approx(chance, abs=4 * total.std() / 4000**0.5)


@pytest.mark.parametrize(("name", "kwargs"), LABELLED)
@pytest.mark.parametrize("form", FORMS)
def test_asked_again_the_feedback_counts(name, kwargs, form):
    """Right: the same label. Wrong: another, and with two labels surely the right one."""
    more = {**kwargs, **form, "again": True}
    trace = rollout(
        make_named(name, make_family(DATASET, **more)),
        fresh_episodes(Setting(DATASET, **more), 500, 0),
    )
    (first, second), (won, again) = trace.action[-2:], trace.reward[-2:] > 0.5
    assert 0.2 < won.mean() < 0.95
    np.testing.assert_array_equal(first == second, won)
    assert again[won].all()
    assert again.all() or more.get("n_arms", 2) > 2


@pytest.mark.parametrize("kwargs", [{"rule": "linear"}, {"rule": "neighbour", "n_arms": 3}])
def test_ridge_equals_scikit_learns(kwargs):
    probs, latents = at_the_query("ridge", kwargs, 40)
    linear = kwargs["rule"] == "linear"
    for row in range(40):
        inputs, one_hot = latents["examples"][row, :, :4], latents["examples"][row, :, 4:]
        if not linear:  # scikit-learn leaves the intercept unpenalised; ours is a feature
            inputs = np.concatenate([inputs, np.ones((10, 1))], axis=1)
        k = one_hot.shape[1]
        theirs = Ridge(alpha=1.0, fit_intercept=False).fit(inputs.astype(float), one_hot - 1 / k)
        query = [*latents["query"][row], *([] if linear else [1.0])]
        assert theirs.predict([query])[0].argmax() == probs[row].argmax()


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_nearest_neighbours_equal_scikit_learns(noise):
    probs, latents = at_the_query(
        "nearest_neighbours", {"rule": "neighbour", "n_arms": 2, "noise": noise}, 40
    )
    for row in range(40):
        inputs, label = latents["examples"][row, :, :4], latents["examples"][row, :, 4:].argmax(1)
        theirs = KNeighborsClassifier(3 if noise else 1).fit(inputs, label)
        assert theirs.predict([latents["query"][row]])[0] == probs[row].argmax()


def exact_moments(mean, covariance, point, side, wrong):
    """Mean and variance along the point after one example, by integration over w · point."""
    law = stats.norm(mean @ point, np.sqrt(point @ covariance @ point))

    def moment(power):
        def weighed(u):
            return u**power * law.pdf(u) * (1 - wrong if u * side > 0 else wrong)

        low, high = law.mean() - 12 * law.std(), law.mean() + 12 * law.std()
        return integrate.quad(weighed, low, high, points=[0.0], limit=200)[0]

    evidence, first, second = (moment(power) for power in range(3))
    return first / evidence, second / evidence - (first / evidence) ** 2


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_assumed_density_matches_the_moments_by_integration(noise):
    policy = make_named("assumed_density", make_family(DATASET, rule="linear", noise=noise))
    rng = np.random.default_rng(0)
    root = rng.normal(size=(6, 4, 4))
    mean, covariance = rng.normal(size=(6, 4)), root @ root.transpose(0, 2, 1)
    point, side = rng.uniform(-1, 1, size=(6, 4)), np.array([1.0, -1.0] * 3)
    after, spread = policy._match(mean, covariance, point, side)
    for row in range(6):
        first, variance = exact_moments(
            mean[row], covariance[row], point[row], side[row], noise / 2
        )
        assert after[row] @ point[row] == pytest.approx(first, abs=1e-6)
        assert point[row] @ spread[row] @ point[row] == pytest.approx(variance, abs=1e-6)
        apart = rng.normal(size=4)  # along what the point says nothing of, nothing changes
        apart -= (
            (apart @ covariance[row] @ point[row])
            / (point[row] @ covariance[row] @ point[row])
            * point[row]
        )
        assert after[row] @ apart == pytest.approx(mean[row] @ apart, abs=1e-9)


def test_assumed_density_comes_near_the_bayes_optimal_classifier():
    """The majority of 20,000 planes of the prior that fit the examples, on two features."""
    kwargs = {"rule": "linear", "features": 2}
    latents = fresh_episodes(Setting(DATASET, **kwargs), 3000, 0).latents
    angle = (np.arange(20_000) + 0.5) * 2 * np.pi / 20_000
    normals = np.stack([np.cos(angle), np.sin(angle)])
    right = latents["chances"].argmax(axis=1) == 1
    optimal = []
    for row in range(3000):
        inputs, label = latents["examples"][row, :, :2], latents["examples"][row, :, 3] > 0.5
        fits = ((inputs @ normals > 0) == label[:, None]).all(axis=0)
        side = latents["query"][row] @ normals > 0
        optimal.append((side[fits].mean() > 0.5) == right[row])
    ours = returns(
        make_named("assumed_density", make_family(DATASET, **kwargs)),
        Setting(DATASET, **kwargs),
        3000,
        0,
    )
    lost = np.array(optimal, dtype=float) - ours
    assert -3 * lost.std() / 3000**0.5 < lost.mean() < 0.02


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_many_and_useless_examples_leave_numbers_finite(noise):
    kwargs = {"rule": "linear", "features": 1, "n_examples": 300, "noise": noise}
    for name in ("ridge", "assumed_density", "nearest_neighbours"):
        probs, _ = at_the_query(name, kwargs, 50)
        assert np.isfinite(probs).all()


def test_standings():
    arms, linear, neighbour = (
        make_family(DATASET, rule=r) for r in ("arms", "linear", "neighbour")
    )
    known = REFERENCES
    assert known["posterior"].optimality(arms) == EXACT
    assert known["assumed_density"].optimality(linear) == NEAR
    assert known["nearest_neighbours"].optimality(neighbour) == NEAR
    assert known["nearest_neighbours"].optimality(linear) == known["ridge"].optimality(linear) == 0


@pytest.mark.parametrize(
    ("name", "kwargs", "reason"),
    [
        ("posterior", {"rule": "linear"}, "rule='arms'"),
        ("ridge", {}, "no inputs to compare"),
        ("nearest_neighbours", {}, "no inputs to compare"),
        ("assumed_density", {}, "no inputs to compare"),
        ("assumed_density", {"rule": "neighbour"}, "rule='linear'"),
    ],
)
def test_what_cannot_be_played_is_refused(name, kwargs, reason):
    with pytest.raises(InvalidTask, match=reason):
        make_named(name, make_family(DATASET, **kwargs))
    with pytest.raises(InvalidTask, match="only DatasetBandit"):
        make_named(name, make_family("metalocus/BernoulliBandit-v0"))
