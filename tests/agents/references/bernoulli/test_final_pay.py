"""The bandit that is paid at the end is played as the plain one, to the last choice."""

import numpy as np
import pytest

from metalocus.agents.agent import EXACT, NEAR
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting

FINAL, BANDIT = "metalocus/FinalPay-v0", "metalocus/BernoulliBandit-v0"


@pytest.mark.parametrize(
    ("name", "kwargs", "optimality"),
    [
        ("bayes_optimal", {"n_arms": 2, "horizon": 12}, EXACT),
        ("finite_index", {"n_arms": 5, "horizon": 30}, NEAR),
    ],
)
def test_it_pays_what_the_plain_bandit_pays_its_optimum(name, kwargs, optimality):
    plain, final = Setting(BANDIT, **kwargs), Setting(FINAL, **kwargs)
    policy = make_named("final_pay_optimal", final.family)
    assert policy.optimality(final.family) == optimality
    expected = rollout(make_named(name, plain.family), fresh_episodes(plain, 300, 0))
    trace = rollout(policy, fresh_episodes(final, 300, 0))
    np.testing.assert_array_equal(trace.action, expected.action)
    np.testing.assert_array_equal(trace.total, expected.total)
    assert not trace.reward[:-1].any()


def test_what_is_paid_is_not_counted_twice():
    """The outcome is read when it is shown; a reward of any size changes no count."""
    policy = make_named("final_pay_optimal", Setting(FINAL).family)
    stores = policy.start(1, np.random.default_rng(0))
    _, stores = policy.act(np.zeros((1, 1)), stores)
    stores = policy.learn(stores, np.zeros((1, 1)), np.array([1]), np.array([9.0]))
    _, stores = policy.act(np.ones((1, 1)), stores)
    _, stores = policy.act(np.ones((1, 1)), stores)  # seen again, as a probe may do
    np.testing.assert_array_equal(stores.state["successes"], [[0, 1]])
    np.testing.assert_array_equal(stores.state["failures"], [[0, 0]])
