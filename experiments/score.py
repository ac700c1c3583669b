"""Scoring a policy that needs no training: its mean total reward, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from metalocus.agents.agent import Agent, Array
from metalocus.agents.catalogue import make_named
from metalocus.envs import make_episodes
from metalocus.envs.family import require_count
from metalocus.experiments.rollout import fresh_episodes, rollout
from metalocus.experiments.statistics import episode_interval

CHUNK = 2000
"""Episodes played at once: bounds the memory, and changes no episode."""


def score(
    env_id: str,
    policy: str,
    episodes: int = 10_000,
    seed: int = 0,
    env_kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Mean total reward of an episode under sampled choices.

    Args:
        env_id: full id, e.g. ``metalocus/BernoulliBandit-v0``.
        policy: name of a reference, online learner or control.
        episodes: how many fresh episodes, at least 2.
        seed: of the episodes; all policies meet the same tasks and luck.
        env_kwargs: of the environment.

    Returns:
        What was run; ``mean``; and its 95% interval, ``low`` to ``high``, by the normal
        approximation over episodes.

    Raises:
        InvalidTask: unknown environment, argument or policy, or one that cannot play it.
    """
    kwargs = dict(env_kwargs or {})
    require_count("episodes", episodes, 2)  # one episode has no interval
    require_count("seed", seed, 0)
    agent = make_named(policy, make_episodes(env_id, **kwargs).family)
    mean, low, high = episode_interval(totals(agent, env_id, episodes, seed, kwargs))
    return {
        "env": env_id,
        "env_kwargs": kwargs,
        "policy": policy,
        "seed": seed,
        "mean": float(mean),
        "low": float(low),
        "high": float(high),
        "episodes": episodes,
    }


def totals(
    agent: Agent,
    env_id: str,
    episodes: int,
    seed: int,
    env_kwargs: Mapping[str, Any],
    *,
    greedy: bool = False,
) -> Array:
    """Total reward of every fresh episode, under sampled or the most probable choices, [N]."""
    parts = []
    for first in range(0, episodes, CHUNK):
        n = min(CHUNK, episodes - first)
        batch = fresh_episodes(env_id, n, seed, first=first, **env_kwargs)
        parts.append(rollout(agent, batch, seed=seed + first, greedy=greedy).total)
    return np.concatenate(parts)
