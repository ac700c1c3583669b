"""What comes after a rollout counts in the environments whose episodes go on, and in no others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs.sb3 import BatchVecEnv


@pytest.mark.parametrize("ended", [[True, True], [True, False], [False, False]])
def test_the_last_step_is_worth_what_follows_unless_the_episode_has_ended(ended):
    env = BatchVecEnv("metalocus/BernoulliBandit-v0", 2, seed=0, horizon=4)
    model = SequencePPO("SequencePolicy", env, n_steps=4, seed=0, scale_rewards=False)
    model.center_advantages = False
    model.learn(8)
    model._last_episode_starts = np.array(ended)
    model._finish_rollout(model.rollout_buffer, np.zeros((4, 2), dtype=np.float32))
    with torch.no_grad():
        after = model.policy.predict_values(
            torch.as_tensor(model._last_obs), model._last_carry, torch.tensor(ended).float()
        )
    buffer = model.rollout_buffer
    follows = np.where(ended, 0.0, model.gamma * after.numpy().ravel())
    found = buffer.advantages[-1] + buffer.values[-1]
    assert found == pytest.approx(buffer.rewards[-1] + follows, abs=1e-6)
    assert (np.abs(after.numpy()) > 1e-3).all()
