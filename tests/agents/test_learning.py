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

    def unsolved(*_):
        """Whether to go on: the last hundred episodes paid less than 9.5 of 10."""
        ended = [info["r"] for info in model.ep_info_buffer]
        return len(ended) < 100 or np.mean(ended) <= 9.5

    model.learn(40_000, unsolved)
    assert not unsolved()
