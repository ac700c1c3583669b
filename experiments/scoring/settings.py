"""The named tasks that claims are judged on, and the best reference of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import Trace, fresh_episodes, rollout
from metalocus.envs import Family, make_family
from metalocus.envs.registry import EPISODE_OPTIONS

Array = NDArray[Any]
FIXED_TASKS = ("n_tasks", "task_seed")


@dataclass(frozen=True)
class Task:
    """An environment with its arguments, under a short name."""

    name: str
    title: str
    env: str
    kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def family(self) -> Family:
        """The task family alone."""
        return family_of(self.env, self.kwargs)


BANDIT = Task(
    "bandit",
    "two-armed bandit, 50 pulls",
    "metalocus/BernoulliBandit-v0",
    {"n_arms": 2, "horizon": 50},
)
REVERSAL = Task(
    "reversal",
    "hidden reversals, 100 trials",
    "metalocus/ReversalBandit-v0",
    {"p": 0.75, "hazard": 0.02, "horizon": 100},
)
CUED = Task(
    "cued",
    "the same reversals with the good side shown",
    "metalocus/ReversalBandit-v0",
    {"p": 0.75, "hazard": 0.02, "horizon": 100, "cued": True},
)


def family_of(env_id: str, env_kwargs: Mapping[str, Any]) -> Family:
    """The family of an environment's arguments, without those of its episodes."""
    own = {key: value for key, value in env_kwargs.items() if key not in EPISODE_OPTIONS}
    return make_family(env_id, **own)


def whole_distribution(env_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that draw tasks from all of the distribution, whatever was trained on."""
    return {key: value for key, value in env_kwargs.items() if key not in FIXED_TASKS}


def play(agent: Agent, task: Task, episodes: int, seed: int) -> Trace:
    """The agent on fresh episodes of a task."""
    return rollout(agent, fresh_episodes(task.env, episodes, seed, **task.kwargs), seed)


@cache
def return_bounds(task: Task, episodes: int, seed: int) -> tuple[float, float]:
    """Mean total expected reward of random choice and of the best reference."""
    best = play(best_reference(task.family), task, episodes, seed)
    chance = play(make_named("random", task.family), task, episodes, seed)
    return float(chance.value.sum(axis=0).mean()), float(best.value.sum(axis=0).mean())


def score(agent: Agent, task: Task, episodes: int, seed: int) -> float:
    """Total reward on a scale where random choice is 0 and the best reference is 1.

    Choices are sampled; each counts with its expected reward under the true means, which
    has the mean of the sampled reward and less noise. All agents meet the same episodes.
    """
    chance, best = return_bounds(task, episodes, seed)
    total = float(np.mean(play(agent, task, episodes, seed).value.sum(axis=0)))
    return (total - chance) / (best - chance)
