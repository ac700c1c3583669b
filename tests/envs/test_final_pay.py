"""The final pay is the sum of what a plain bandit would have paid, and was shown."""

import numpy as np
import pytest

from metalocus.envs import InvalidTask, make_episodes
from metalocus.envs.common_random_numbers import seed_keys

FINAL, BANDIT = "metalocus/FinalPay-v0", "metalocus/BernoulliBandit-v0"


def test_it_is_the_plain_bandit_with_its_rewards_shown_and_paid_at_the_end():
    plain = make_episodes(BANDIT, seed_keys(0, 200), n_arms=3)
    final = make_episodes(FINAL, seed_keys(0, 200), n_arms=3, horizon=12)
    rng = np.random.default_rng(0)
    total = np.zeros(200)
    assert not final.stimulus().any()
    for t in range(12):
        np.testing.assert_array_equal(final.privileged_value(), plain.means())
        last = t == 11
        np.testing.assert_array_equal(final.means(), last * (total[:, None] + plain.means()))
        action = rng.integers(3, size=200)
        outcome = plain.step(action)[0]
        total += outcome
        reward, done = final.step(action)
        np.testing.assert_array_equal(final.stimulus()[:, 0], outcome)
        np.testing.assert_array_equal(reward, total if last else 0.0)
        assert done.all() == last


def test_a_bad_task_is_refused():
    for task in ({"chances": [0.5, 2.0]}, {"outcome": 2}, {"owed": 21}, {"left": -1}):
        with pytest.raises(InvalidTask, match=f"{next(iter(task))} must be"):
            make_episodes(FINAL).set_task(task)
