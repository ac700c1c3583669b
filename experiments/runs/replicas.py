"""The replicas of a run that learns online: untrained, or with given weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from metalocus.agents.replicas.agent import OnlineAgent
from metalocus.agents.replicas.learning import Learning, Weights
from metalocus.agents.replicas.networks import Networks
from metalocus.agents.replicas.stream import Stream
from metalocus.agents.trainers.online import TRAINER, OnlineTraining
from metalocus.envs.checks import require
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.experiments.runs.arguments import POLICY, START
from metalocus.experiments.runs.build import SEED_SPACING

if TYPE_CHECKING:  # so that the code of a RunConfig is not among what decides a run's result
    from metalocus.experiments.runs.config import RunConfig

ONLINE = TRAINER.name


def online_training(config: RunConfig) -> OnlineTraining:
    """The settings of a run's training.

    Raises:
        InvalidTask: one is impossible.
    """
    return OnlineTraining(**{k: v for k, v in config.train_kwargs.items() if k != START})


def build_learning(config: RunConfig) -> Learning:
    """How the replicas of a run learn.

    Raises:
        InvalidTask: they cannot be built with the arguments given.
    """
    others = [name for name in POLICY if name in config.agent_kwargs]
    require(not others, f"{', '.join(others)}: networks trained online have linear read-outs")
    require(config.train_kwargs.get(START) is None, "start: replicas begin untrained; leave it out")
    require(config.device == "cpu", "device: replicas are trained on the cpu")
    networks = Networks(config.agent, config.setting.layout, **config.agent_kwargs)
    return Learning(networks, online_training(config), config.setting.family.reward_range)


def build_stream(config: RunConfig) -> Stream:
    """The untrained replicas of a run, each in its environment."""
    learning, rates = build_learning(config), online_training(config).rates(config.n_envs)
    keys = seed_keys(config.seed * SEED_SPACING, config.n_envs)
    return Stream(learning, learning.initial(rates, config.seed), config.setting.episodes(keys))


def try_out_replicas(config: RunConfig) -> None:
    """Build one replica of a run, and take a step.

    Raises:
        InvalidTask: as :func:`build_learning`, or the number of environments does not fit.
    """
    learning, rates = build_learning(config), online_training(config).rates(config.n_envs)
    weights, carry = learning.begin(learning.initial(rates[:1], config.seed))
    learning.take_in(weights, torch.from_numpy(config.setting.episodes().observation()), carry)


def replicas_agent(config: RunConfig, weights: Mapping[str, Tensor]) -> OnlineAgent:
    """The agent of replicas with weights that were read from a file.

    Raises:
        ValueError: they are not those of such replicas; the message is one line.
    """
    learning = build_learning(config)
    require_fit(learning.initial([0.0], 0), weights, config.n_envs)
    return OnlineAgent(learning, dict(weights), config.setting.layout)


def require_fit(own: Weights, given: Mapping[str, Tensor], n: int) -> None:
    """Raise ValueError unless tensors are of n replicas such as the one given."""
    if given.keys() != own.keys():
        raise ValueError("it has other parts")
    for name, tensor in own.items():
        expected = (tensor.dtype, (n, *tensor.shape[1:]))
        if (given[name].dtype, tuple(given[name].shape)) != expected:
            raise ValueError(f"{name} is not of {n} such replicas")
