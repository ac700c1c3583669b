"""Card sorting: every card as frequent, the pile by the rule, the rule at its hazard.

Statistical tests are derandomised; each would fail sound code with probability 1e-4 at most
over all of its examples.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from metalocus.envs import InvalidTask, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

RULES = "metalocus/RuleSwitching-v0"
FALSE_ALARM = 1e-6
some = settings(max_examples=10, deadline=None, derandomize=True)


def run(n, horizon, **kwargs):
    """Rules [T, N], cards [T, N, F], actions and rewards [T, N] under random choices."""
    episodes = make_episodes(RULES, seed_keys(0, n), horizon=horizon, **kwargs)
    rng = np.random.default_rng(1)
    rules, cards, actions, rewards = [], [], [], []
    for _ in range(horizon):
        rules.append(episodes.latents["rule"])
        cards.append(episodes.latents["card"])
        actions.append(rng.integers(episodes.family.n_arms, size=n))
        rewards.append(episodes.step(actions[-1])[0])
    return tuple(map(np.array, (rules, cards, actions, rewards)))


@some
@given(n_features=st.integers(2, 5), hazard=st.floats(0.02, 0.98))
def test_another_feature_becomes_the_rule_at_the_hazard_rate(n_features, hazard):
    rules, *_ = run(800, 20, n_features=n_features, hazard=hazard)
    assert stats.chisquare(np.bincount(rules[0], minlength=n_features)).pvalue > FALSE_ALARM
    moved = (rules[1:] - rules[:-1]) % n_features
    assert stats.binomtest(int((moved > 0).sum()), moved.size, hazard).pvalue > FALSE_ALARM
    if n_features > 2:
        steps = np.bincount(moved[moved > 0], minlength=n_features)[1:]
        assert stats.chisquare(steps).pvalue > FALSE_ALARM


@some
@given(n_arms=st.integers(2, 4), p=st.floats(0.05, 0.95))
def test_the_pile_that_the_rule_points_to_pays_with_p_and_every_other_with_the_rest(n_arms, p):
    rules, cards, actions, rewards = run(500, 20, n_arms=n_arms, p=p, hazard=0.2)
    right = np.take_along_axis(cards, rules[..., None], axis=2)[..., 0]
    for is_right, chance in ((True, p), (False, 1 - p)):
        paid = rewards[(actions == right) == is_right]
        assert stats.binomtest(int(paid.sum()), paid.size, chance).pvalue > FALSE_ALARM


def test_all_cards_are_as_frequent_and_tell_nothing_of_rule_or_last_card():
    rules, cards, *_ = run(2000, 20, n_arms=3, n_features=2, hazard=0.5)
    code = cards @ np.array([3, 1])
    assert stats.chisquare(np.bincount(code.ravel(), minlength=9)).pvalue > FALSE_ALARM
    for other, size in ((rules, 2), (np.roll(code, 1, axis=0), 9)):
        table = np.bincount((code * size + other)[1:].ravel(), minlength=9 * size)
        assert stats.chi2_contingency(table.reshape(9, size)).pvalue > FALSE_ALARM


@pytest.mark.parametrize("cued", [False, True])
def test_the_stimulus_is_the_card_after_the_rule_if_cued(cued):
    episodes = make_episodes(RULES, seed_keys(0, 60), cued=cued, hazard=0.5)
    assert episodes.family.stimulus_size == 12 + 3 * cued
    for _ in range(10):
        rule, card = episodes.latents["rule"], episodes.latents["card"]
        shown = episodes.stimulus()
        np.testing.assert_array_equal(shown[:, 3 * cued :].reshape(60, 3, 4), np.eye(4)[card])
        if cued:
            np.testing.assert_array_equal(shown[:, :3], np.eye(3)[rule])
        right = card[np.arange(60), rule]
        np.testing.assert_array_equal(episodes.means(), np.eye(4)[right])
        episodes.step(np.zeros(60, int))


def test_cards_and_rules_do_not_depend_on_the_actions_or_the_cue():
    runs = []
    for action, cued in ((0, False), (1, False), (1, True)):
        episodes = make_episodes(RULES, seed_keys(0, 100), hazard=0.3, cued=cued)
        for _ in range(30):
            episodes.step(np.full(100, action))
        runs.append(episodes.latents)
    for name in ("rule", "card"):
        np.testing.assert_array_equal(runs[0][name], runs[1][name])
        np.testing.assert_array_equal(runs[0][name], runs[2][name])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_features": 1}, "n_features must be a whole number of at least 2"),
        ({"n_arms": 1}, "n_arms must be a whole number of at least 2"),
        ({"cued": 1}, "cued must be True or False"),
        ({"hazard": -1}, "hazard must be a probability"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InvalidTask, match=message):
        make_family(RULES, **kwargs)


@pytest.mark.parametrize(
    ("task", "message"),
    [({"rule": 3}, "rule must be from 0 to 2"), ({"card": [0, 1, 4]}, "card must")],
)
def test_bad_tasks(task, message):
    with pytest.raises(InvalidTask, match=message):
        make_episodes(RULES).set_task(task)
