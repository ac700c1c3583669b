"""The policy and the model of a run: untrained, or with given weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from stable_baselines3.common.utils import ConstantSchedule
from torch import Tensor

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.envs.layout import action_space, observation_space
from metalocus.envs.sb3 import BatchVecEnv

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


def fill(policy: SequencePolicy, weights: Mapping[str, Tensor]) -> None:
    """Give a policy weights that were read from a file.

    Raises:
        ValueError: they are not those of such a policy, or not finite; the message is one line.
    """
    own = policy.state_dict()
    if not isinstance(weights, Mapping) or weights.keys() != own.keys():
        raise ValueError("it has other parts")
    for name, tensor in own.items():
        given = weights[name]
        if not isinstance(given, Tensor) or given.layout != tensor.layout:
            raise ValueError(f"{name} is no plain tensor")
        if (given.dtype, given.shape) != (tensor.dtype, tensor.shape):
            has = f"{tuple(given.shape)} of {given.dtype}"
            raise ValueError(f"{name} is {has}, not {tuple(tensor.shape)} of {tensor.dtype}")
        if not torch.isfinite(given).all():
            raise ValueError(f"{name} is not finite")
    policy.load_state_dict(dict(weights))
