"""Tiny tasks that any learner must solve."""

import numpy as np
import pytest

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs.sb3 import BatchVecEnv


@pytest.mark.parametrize("cell", ["mlp", "lstm"])
def test_it_solves_what_any_learner_must(cell):
    """One arm always pays, the other never, which one is shown: both cells must be near 1."""
    env = BatchVecEnv(
        "metalocus/ReversalBandit-v0", 64, seed=1, p=1.0, hazard=0.2, horizon=10, cued=True
    )
    model = SequencePPO("SequencePolicy", env, policy_kwargs={"cell": cell}, seed=1)
    model.learn(40_000)
    assert np.mean([info["r"] for info in model.ep_info_buffer]) > 9.5
