"""The untrained policy and model of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stable_baselines3.common.utils import ConstantSchedule

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.envs.spaces import action_space, observation_space

if TYPE_CHECKING:  # so that the code of a RunConfig is not among what decides a run's result
    from metalocus.experiments.runs.config import RunConfig

SEED_SPACING = 2**20
"""Row i of run s is seeded s * SEED_SPACING + i, so that no two runs share a task stream."""


def build_policy(config: RunConfig) -> SequencePolicy:
    """The untrained policy of a run, on the CPU."""
    layout = config.setting.layout
    return SequencePolicy(
        observation_space(layout),
        action_space(layout),
        ConstantSchedule(0.0),
        **TRAINABLES.find(config.agent).arguments(layout),
    )


def build_model(config: RunConfig) -> SequencePPO:
    """The untrained model of a run, in its environment."""
    env = BatchVecEnv(config.setting.env, config.n_envs, **config.setting.kwargs)
    model = SequencePPO(
        "SequencePolicy",
        env,
        policy_kwargs=TRAINABLES.find(config.agent).arguments(env.layout),
        seed=config.seed,
        device=config.device,
    )
    env.seed(config.seed * SEED_SPACING)
    return model
