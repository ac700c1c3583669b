"""The running scale of rewards."""

import numpy as np
import pytest

from metalocus.agents.ppo.reward_scaling import RewardScale


def test_rewards_are_scaled_by_the_spread_of_discounted_returns():
    rng = np.random.default_rng(0)
    scale, returns, running = RewardScale(3), [], np.zeros(3)
    for _ in range(4):
        rewards, starts = rng.normal(size=(5, 3)), rng.random((5, 3)) < 0.3
        for reward, start in zip(rewards, starts, strict=True):
            running = 0.9 * running * ~start + reward
            returns.append(running)
        assert scale.update(rewards, starts, 0.9) == pytest.approx(np.std(returns))
