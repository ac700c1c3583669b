"""Scoring policies that need no training: their mean total reward, with an interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from metalocus.agents.agent import EXACT, Agent, Array, NamedAgent, ReferencePolicy
from metalocus.agents.catalogue import catalogue, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import families, make_episodes
from metalocus.envs.family import require_count
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.scoring.intervals import episode_interval

Configuration = tuple[str, Mapping[str, Any]]
CHUNK = 2000
"""Episodes played at once: bounds the memory, and changes no episode."""


def configurations() -> list[Configuration]:
    """Every environment with its default arguments and with those of its examples."""
    return [
        (env_id, kwargs)
        for env_id, family in families().items()
        for kwargs in ({}, *family.examples)
    ]


def pairs(
    among: Iterable[Configuration], policy: str | None = None
) -> list[tuple[str, Mapping[str, Any], str]]:
    """Environment, arguments and name of each reference that can play it, or of one alone."""
    found = []
    for env_id, kwargs in among:
        family = make_episodes(env_id, **kwargs).family
        for name, cls in catalogue("references").items():
            if policy in (None, name) and cls.why_not(family) is None:
                found.append((env_id, kwargs, name))
    return found


def scores(
    env_id: str | None,
    policy: str | None,
    episodes: int,
    seed: int,
    env_kwargs: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """:func:`score` of one policy, or of references, with a bar on the terminal.

    Args:
        env_id: full id; None for every environment, with its defaults and its examples.
        policy: any, or a reference if the environment is None; None for all references that
            can play.
        episodes, seed, env_kwargs: see :func:`score`.

    Raises:
        WrongUse: arguments without an environment, or a policy that is no reference.
        InvalidTask: see :func:`score`.
    """
    if env_id is not None and policy is not None:
        return [score(env_id, policy, episodes, seed, env_kwargs)]
    if env_id is None and env_kwargs:
        raise WrongUse("--env-kwargs are of one environment; name it with --env")
    if policy is not None and policy not in catalogue("references"):
        known = ", ".join(catalogue("references"))
        raise WrongUse(f"without --env, --policy must be a reference: {known}; got {policy!r}")
    among = pairs(configurations() if env_id is None else [(env_id, env_kwargs)], policy)
    console = Console(stderr=True)
    bar = track(
        among, "references", console=console, transient=True, disable=not console.is_terminal
    )
    return [score(env, name, episodes, seed, kwargs) for env, kwargs, name in bar]


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
        seed: of the episodes; all policies meet the same tasks and random numbers.
        env_kwargs: of the environment.

    Returns:
        What was run; ``mean``; its 95% interval, ``low`` to ``high``, by the normal
        approximation over episodes; and ``exact``, whether the policy is Bayes-optimal
        (none is where tasks are drawn from a few fixed ones, which it does not know).

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
        "exact": is_exact(agent) and kwargs.get("n_tasks") is None,
        "seed": seed,
        "mean": float(mean),
        "low": float(low),
        "high": float(high),
        "episodes": episodes,
    }


def is_exact(agent: NamedAgent) -> bool:
    """Whether it is a reference, and Bayes-optimal on its family."""
    return isinstance(agent, ReferencePolicy) and agent.optimality(agent.family) == EXACT


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
