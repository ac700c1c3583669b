"""The same network before training, which probes compare a trained one with."""

from __future__ import annotations

from typing import Any

import torch

from metalocus.agents.agent import Agent
from metalocus.agents.trained.foreign import ForeignAgent
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent


def untrained(agent: Agent, seed: int = 0) -> Agent | None:
    """An agent of the same architecture with fresh weights; None for one that has no network.

    Args:
        agent: to be compared.
        seed: of the weights.
    """
    if isinstance(agent, RewrittenAgent):
        trained = agent.trained
        return RewrittenAgent(_fresh(trained, seed), trained.layout)
    if isinstance(agent, TrainedAgent):
        return TrainedAgent(_fresh(agent, seed), agent.layout)
    if isinstance(agent, ForeignAgent):
        return ForeignAgent(_fresh(agent, seed), agent.layout)
    return None


def _fresh(agent: Any, seed: int) -> Any:
    """A new policy with the arguments of the agent's."""
    policy = agent.policy
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return type(policy)(**policy._get_constructor_parameters())
