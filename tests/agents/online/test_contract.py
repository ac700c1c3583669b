"""Online learners: the true gradient, one step a transition, and each episode on its own."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metalocus.agents.catalogue import ONLINE, make_named
from metalocus.agents.online.learner import linear, softmax
from metalocus.agents.online.policy_gradient import PolicyGradient, log_gradient
from metalocus.agents.online.value_table import value_gradient
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family

BANDIT = "metalocus/BernoulliBandit-v0"
REVERSAL = "metalocus/ReversalBandit-v0"
RULES = sorted(ONLINE)
NUMBERS = st.floats(-3, 3, allow_subnormal=False)


def played(name, env_id=BANDIT, episodes=4000, **env_kwargs):
    agent = make_named(name, make_family(env_id, **env_kwargs))
    return rollout(agent, fresh_episodes(Setting(env_id, **env_kwargs), episodes, 0), 0)


def mean_total(trace):
    return trace.value.sum(axis=0).mean()


@given(arrays(float, (2, 3), elements=NUMBERS), arrays(float, (2, 3, 4), elements=NUMBERS))
def test_policy_gradient_is_the_derivative_of_log_pi(x, policy):
    action, step = np.array([1, 3]), 1e-5

    def log_pi(weights):
        return np.log(softmax(linear(x, weights)))[np.arange(2), action]

    numeric = np.zeros_like(policy)
    for f, k in np.ndindex(3, 4):
        nudge = np.zeros_like(policy)
        nudge[:, f, k] = step
        numeric[:, f, k] = (log_pi(policy + nudge) - log_pi(policy - nudge)) / (2 * step)
    np.testing.assert_allclose(log_gradient(x, policy, action), numeric, atol=1e-7)


@given(arrays(float, (2, 3), elements=NUMBERS), arrays(float, (2, 3, 4), elements=NUMBERS))
def test_value_gradient_is_the_derivative_of_the_prediction(x, values):
    action = np.array([0, 2])
    for f, k in np.ndindex(3, 4):
        nudge = np.zeros_like(values)
        nudge[:, f, k] = 1.0
        change = linear(x, values + nudge) - linear(x, values)
        np.testing.assert_allclose(
            value_gradient(x, action, 4)[:, f, k], change[np.arange(2), action], atol=1e-12
        )


@pytest.mark.parametrize("name", RULES)
def test_everything_is_carried_in_the_weights_and_no_given_array_is_changed(name):
    agent = make_named(name, make_family(BANDIT))
    nothing, stores = np.zeros((3, 0)), agent.start(3, np.random.default_rng(0))
    for reward in (1.0, 0.0, 1.0):
        stores.map(lambda _store, _key, array: array.setflags(write=False))
        before = stores.digest("weights")
        stores = agent.learn(
            agent.act(nothing, stores)[1], nothing, np.array([0, 1, 1]), np.full(3, reward)
        )
        unmoved = name == "reinforce" and reward == 0.0
        assert (stores.digest("weights") == before) == unmoved
    assert not stores.state
    assert not stores.context


@pytest.mark.parametrize("name", RULES)
def test_first_choice_is_uniform_and_all_choices_are_probabilities(name):
    probs = played(name, episodes=50).probs
    np.testing.assert_allclose(probs[0], 0.5)
    np.testing.assert_allclose(probs.sum(axis=2), 1.0)
    assert (probs >= 0).all()


@given(st.lists(st.integers(0, 1), min_size=1, max_size=20), st.floats(0, 5), st.floats(0, 1))
def test_average_is_the_mean_of_the_rewards_and_the_first_value(rewards, prior_pulls, start):
    agent = make_named("delta_rule_average", make_family(BANDIT))
    agent.settings = replace(agent.settings, prior_pulls=prior_pulls, start=start)
    nothing, stores = np.zeros((1, 0)), agent.start(1, np.random.default_rng(0))
    for reward in rewards:
        stores = agent.learn(stores, nothing, np.array([1]), np.array([float(reward)]))
    mean = (prior_pulls * start + sum(rewards)) / (prior_pulls + len(rewards))
    np.testing.assert_allclose(stores.weights["values"][0, 0], [start, mean], atol=1e-12)


def test_constant_step_forgets_by_the_same_factor_at_every_pull():
    agent = make_named("delta_rule", make_family(BANDIT))
    agent.settings = replace(agent.settings, rate=0.25, start=1.0)
    nothing, stores = np.zeros((1, 0)), agent.start(1, np.random.default_rng(0))
    for _ in range(3):
        stores = agent.learn(stores, nothing, np.array([0]), np.array([0.0]))
    np.testing.assert_allclose(stores.weights["values"][0, 0], [0.75**3, 1.0])


def test_counterfactual_moves_the_other_arm_to_the_opposite():
    agent = make_named("delta_rule_counterfactual", make_family(REVERSAL))
    agent.settings = replace(agent.settings, rate=0.5, start=0.5)
    stores = agent.start(1, np.random.default_rng(0))
    stores = agent.learn(stores, np.zeros((1, 0)), np.array([0]), np.array([1.0]))
    np.testing.assert_allclose(stores.weights["values"][0, 0], [0.75, 0.25])
    with pytest.raises(InvalidTask, match="needs two arms"):
        make_named("delta_rule_counterfactual", make_family(BANDIT, n_arms=3))


@pytest.mark.parametrize("name", ["delta_rule", "delta_rule_average"])
def test_acting_is_softmax_or_greedy_with_a_share_of_random_arms(name):
    agent = make_named(name, make_family(BANDIT, n_arms=3))
    stores = agent.start(1, np.random.default_rng(0))
    stores.weights["values"][0, 0] = [0.1, 0.4, 0.4]
    nothing = np.zeros((1, 0))
    agent.settings = replace(agent.settings, epsilon=0.3, temperature=0.0)
    np.testing.assert_allclose(agent.act(nothing, stores)[0], [[0.1, 0.45, 0.45]])
    agent.settings = replace(agent.settings, epsilon=0.0, temperature=0.3 / np.log(2))
    np.testing.assert_allclose(agent.act(nothing, stores)[0], [[0.2, 0.4, 0.4]])


def test_a_bounded_policy_stays_uncertain():
    agent = make_named("policy_gradient", make_family(REVERSAL))
    bound = agent.settings.bound
    assert np.isfinite(bound)
    trace = rollout(agent, fresh_episodes(Setting(REVERSAL), 500, 0))
    assert np.abs(trace.end.weights["policy"]).max() == bound
    assert trace.probs.max() <= 1 / (1 + np.exp(-2 * bound)) + 1e-12


def test_rewards_are_learned_from_by_their_place_in_the_range():
    paid, scaled = make_family(BANDIT), make_family(BANDIT)
    paid.reward_range = (-2.0, 8.0)
    for name in RULES:
        ends = []
        for family, reward in ((paid, 8.0), (scaled, 1.0)):
            agent = make_named(name, family)
            stores = agent.start(1, np.random.default_rng(0))
            end = agent.learn(stores, np.zeros((1, 0)), np.array([0]), np.array([reward]))
            ends.append(end.digest("weights"))
        assert ends[0] == ends[1]


@pytest.mark.parametrize("name", RULES)
def test_settings_are_those_of_the_family_or_the_first(name):
    tuned = ONLINE[name].tuned
    assert make_named(name, make_family(REVERSAL)).settings == tuned["ReversalBandit-v0", 2]
    assert make_named(name, make_family(BANDIT)).settings == tuned["BernoulliBandit-v0", 2]
    if name != "delta_rule_counterfactual":
        first = tuned["BernoulliBandit-v0", 2]
        assert make_named(name, make_family(BANDIT, n_arms=3)).settings == first


@pytest.mark.parametrize(
    ("name", "n_arms", "known"),
    [
        ("policy_gradient", 5, 75.5),
        ("delta_rule", 5, 77.5),
        ("delta_rule_average", 5, 78.0),
        ("policy_gradient", 10, 79.8),
        ("delta_rule", 10, 82.7),
        ("delta_rule_average", 10, 83.1),
    ],
)
def test_totals_at_100_pulls_are_the_known_ones_of_tuned_rules(name, n_arms, known):
    """A total has a standard error of .3 here: the tasks differ more than the rules do."""
    total = mean_total(played(name, episodes=3000, n_arms=n_arms, horizon=100))
    assert total == pytest.approx(known, abs=1.2)


def test_a_generic_gradient_is_below_the_rules_made_for_the_task():
    """On the same tasks and luck, so that small differences show."""
    bandit = [
        mean_total(played(name, n_arms=5, horizon=100))
        for name in ("policy_gradient", "delta_rule", "delta_rule_average")
    ]
    assert bandit[0] < min(bandit[1:]) - 1.0
    reversal = [
        mean_total(played(name, REVERSAL, 2000))
        for name in ("policy_gradient", "delta_rule", "delta_rule_counterfactual")
    ]
    assert 60.0 < reversal[0] < reversal[1] - 1.0 < reversal[2] - 1.0


@pytest.mark.parametrize("name", RULES)
def test_a_visible_cue_is_learned_to_be_used(name):
    """The weights on the stimulus tell the good arm where the hidden task leaves it unknown."""
    hidden, cued = (
        played(name, REVERSAL, 1000, p=0.9, hazard=0.5, cued=cued) for cued in (False, True)
    )
    assert hidden.value[-10:].mean() == pytest.approx(0.5, abs=0.01)
    # Adam's steps, tuned where the cue is hidden, throw the constant's weight as far as the cue's
    assert cued.value[-10:].mean() > {"policy_gradient_adam": 0.55, "reinforce": 0.7}.get(
        name, 0.75
    )


def test_settings_given_as_numpy_numbers_are_those_given_as_python_s():
    """Every constant of every rule: equal, of Python's type, or refused with its name."""
    for name in RULES:
        settings = ONLINE[name].tuned["ReversalBandit-v0", 2]
        for field in fields(settings):
            for typed in (np.float64(0.25), np.float32(0.25), np.float16(0.25)):
                given = replace(settings, **{field.name: typed})
                assert given == replace(settings, **{field.name: 0.25})
                assert type(getattr(given, field.name)) is float
            for typed in (np.int64(1), np.uint8(1), 1):
                assert replace(settings, **{field.name: typed}) == replace(
                    settings, **{field.name: 1.0}
                )
            for wrong in (True, np.True_, "1", None, np.nan, 1j, np.array([0.25])):
                with pytest.raises(InvalidTask, match=f"{field.name} must be a real number"):
                    replace(settings, **{field.name: wrong})


def test_policy_gradient_takes_settings_of_its_own():
    family = make_family(BANDIT)
    settings = replace(PolicyGradient(family).settings, rate=0.0)
    trace = rollout(PolicyGradient(family, settings), fresh_episodes(Setting(BANDIT), 20, 0))
    np.testing.assert_array_equal(trace.probs, 0.5)
