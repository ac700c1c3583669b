"""Returns: the total reward of an episode, of any agent on any setting, and its mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from metalocus.agents.agent import EXACT, Agent, Array, ReferencePolicy
from metalocus.agents.catalogue import REFERENCES, make_named
from metalocus.agents.rollout import Trace, rollout
from metalocus.envs import Setting
from metalocus.envs.checks import require_seed
from metalocus.envs.discovery import suggestion
from metalocus.envs.registry import FAMILIES
from metalocus.experiments.display import Stage
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.scoring.chunks import Chunks, named, require_episodes
from metalocus.experiments.scoring.intervals import episode_interval
from metalocus.experiments.scoring.sample import require_finite


def returns(
    agent: Agent, setting: Setting, episodes: int, seed: int, *, greedy: bool = False
) -> Array:
    """Return of every fresh episode, under sampled or the most probable choices, [N].

    Raises:
        InvalidTask: too few or too many episodes.
        NonFinite: a number on the way or a return is not finite.
    """
    return _of_episodes(agent, setting, episodes, seed, lambda trace: trace.total, greedy)


def expected_returns(agent: Agent, setting: Setting, episodes: int, seed: int) -> Array:
    """The same with every choice counted by its expected reward under the true means, [N].

    It has the mean of the returns under sampled choices, and less noise.
    """
    return _of_episodes(agent, setting, episodes, seed, lambda trace: trace.value.sum(axis=0))


def _of_episodes(
    agent: Agent,
    setting: Setting,
    episodes: int,
    seed: int,
    number: Callable[[Trace], Array],
    greedy: bool = False,
) -> Array:
    """A number of every fresh episode, [N]."""
    parts = []
    with named(agent, setting):
        for chunk in Chunks(setting, episodes, seed):
            trace = rollout(agent, chunk.episodes(), chunk.start_seed, greedy=greedy)
            parts.append(number(trace))
            require_finite("a return", parts[-1])
    return np.concatenate(parts)


def mean_return(
    setting: Setting, policy: str, episodes: int = 10_000, seed: int = 0
) -> dict[str, Any]:
    """Mean return of a policy that needs no training, under sampled choices.

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
        InvalidTask: unknown environment, argument or policy, or one that cannot play it; too few
            or too many episodes.
        NonFinite: a number on the way or a return is not finite.
    """
    episodes, seed = require_episodes(episodes), require_seed("seed", seed)
    agent = make_named(policy, setting.family)
    exact = isinstance(agent, ReferencePolicy) and agent.optimality(agent.family) == EXACT
    mean, low, high = episode_interval(returns(agent, setting, episodes, seed))
    return {
        **setting.to_dict(),
        "policy": policy,
        "exact": exact and setting.kwargs.get("n_tasks") is None,
        "seed": seed,
        "mean": mean,
        "low": low,
        "high": high,
        "episodes": episodes,
    }


def mean_returns(
    setting: Setting | None,
    policy: str | None,
    episodes: int,
    seed: int,
) -> list[dict[str, Any]]:
    """:func:`mean_return` of one policy, or of references, with progress shown.

    Args:
        setting: None for every environment, with its defaults and its examples.
        policy: any, or a reference if the setting is None; None for all references that can
            play.
        episodes: as for :func:`mean_return`.
        seed: as for :func:`mean_return`.

    Raises:
        WrongUse: a policy that is no reference.
        InvalidTask: as :func:`mean_return`.
        NonFinite: as :func:`mean_return`.
    """
    if setting is not None and policy is not None:
        return [mean_return(setting, policy, episodes, seed)]
    if policy is not None and policy not in REFERENCES:
        near = suggestion(policy, REFERENCES)
        raise WrongUse(f"without --env, --policy must be a reference, got {policy!r}{near}")
    among = pairs(configurations() if setting is None else [setting], policy)
    found = []
    with Stage("playing", len(among), "references") as stage:
        for count, (each, name) in enumerate(among, 1):
            found.append(mean_return(each, name, episodes, seed))
            stage.advance(count, f"{name} on {each}")
    return found


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
