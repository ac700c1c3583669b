"""Scoring policies that need no training: their mean total reward, with an interval."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from metalocus.agents.agent import EXACT, Agent, Array, NamedAgent, ReferencePolicy
from metalocus.agents.catalogue import REFERENCES, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting
from metalocus.envs.checks import require_count
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.scoring.intervals import episode_interval

CHUNK = 2000
"""Episodes played at once: bounds the memory, and changes no episode."""


def configurations() -> list[Setting]:
    """Every environment with its default arguments and with those of its examples."""
    return [
        Setting(env_id, **kwargs)
        for env_id, family in FAMILIES.items()
        for kwargs in ({}, *family.examples)
    ]


def pairs(among: Iterable[Setting], policy: str | None = None) -> list[tuple[Setting, str]]:
    """Each setting with the name of each reference that can play it, or of one alone."""
    found = []
    for setting in among:
        family = setting.family
        for name, cls in REFERENCES.items():
            if policy in (None, name) and cls.why_not(family) is None:
                found.append((setting, name))
    return found


def scores(
    setting: Setting | None,
    policy: str | None,
    episodes: int,
    seed: int,
) -> list[dict[str, Any]]:
    """:func:`score` of one policy, or of references, with a bar on the terminal.

    Args:
        setting: None for every environment, with its defaults and its examples.
        policy: any, or a reference if the setting is None; None for all references that can
            play.
        episodes, seed: see :func:`score`.

    Raises:
        WrongUse: a policy that is no reference.
        InvalidTask: see :func:`score`.
    """
    if setting is not None and policy is not None:
        return [score(setting, policy, episodes, seed)]
    if policy is not None and policy not in REFERENCES:
        known = ", ".join(REFERENCES)
        raise WrongUse(f"without --env, --policy must be a reference: {known}; got {policy!r}")
    among = pairs(configurations() if setting is None else [setting], policy)
    console = Console(stderr=True)
    bar = track(
        among, "references", console=console, transient=True, disable=not console.is_terminal
    )
    return [score(each, name, episodes, seed) for each, name in bar]


def score(setting: Setting, policy: str, episodes: int = 10_000, seed: int = 0) -> dict[str, Any]:
    """Mean total reward of an episode under sampled choices.

    Args:
        setting: what it plays.
        policy: name of a reference, online learner or control.
        episodes: how many fresh episodes, at least 2.
        seed: of the episodes; all policies meet the same tasks and random numbers.

    Returns:
        What was run; ``mean``; its 95% interval, ``low`` to ``high``, by the normal
        approximation over episodes; and ``exact``, whether the policy is Bayes-optimal
        (none is where tasks are drawn from a few fixed ones, which it does not know).

    Raises:
        InvalidTask: unknown environment, argument or policy, or one that cannot play it.
    """
    require_count("episodes", episodes, 2)  # one episode has no interval
    require_count("seed", seed, 0)
    agent = make_named(policy, setting.family)
    mean, low, high = episode_interval(totals(agent, setting, episodes, seed))
    return {
        **setting.to_dict(),
        "policy": policy,
        "exact": is_exact(agent) and setting.kwargs.get("n_tasks") is None,
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
    agent: Agent, setting: Setting, episodes: int, seed: int, *, greedy: bool = False
) -> Array:
    """Total reward of every fresh episode, under sampled or the most probable choices, [N]."""
    parts = []
    for first in range(0, episodes, CHUNK):
        n = min(CHUNK, episodes - first)
        batch = fresh_episodes(setting, n, seed, first=first)
        parts.append(rollout(agent, batch, seed=seed + first, greedy=greedy).total)
    return np.concatenate(parts)
