"""The named tasks that claims are judged on, and the best reference of each."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.agents.rollout import Trace, fresh_episodes, rollout
from metalocus.envs import Setting

Array = NDArray[Any]


class NamedSetting(Setting):
    """A setting under a short name.

    Args:
        name: as given on the command line.
        title: a few words for people.
        env, **kwargs: as for :class:`~metalocus.envs.setting.Setting`.
    """

    def __init__(self, name: str, title: str, env: str, /, **kwargs: Any) -> None:
        super().__init__(env, **kwargs)
        self.name, self.title = name, title


BERNOULLI, REVERSALS = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
BANDIT = NamedSetting("bandit", "two-armed bandit, 50 pulls", BERNOULLI, n_arms=2, horizon=50)
REVERSAL = NamedSetting(
    "reversal", "hidden reversals, 100 trials", REVERSALS, p=0.75, hazard=0.02, horizon=100
)
CUED = NamedSetting(
    "cued", "the same reversals with the good side shown", REVERSALS, **REVERSAL.kwargs, cued=True
)


def play(agent: Agent, setting: NamedSetting, episodes: int, seed: int) -> Trace:
    """The agent on fresh episodes of a setting."""
    return rollout(agent, fresh_episodes(setting, episodes, seed), seed)


@cache
def return_bounds(setting: NamedSetting, episodes: int, seed: int) -> tuple[float, float]:
    """Mean total expected reward of random choice and of the best reference."""
    best = play(best_reference(setting.family), setting, episodes, seed)
    chance = play(make_named("random", setting.family), setting, episodes, seed)
    return float(chance.value.sum(axis=0).mean()), float(best.value.sum(axis=0).mean())


def score(agent: Agent, setting: NamedSetting, episodes: int, seed: int) -> float:
    """Total reward on a scale where random choice is 0 and the best reference is 1.

    Choices are sampled; each counts with its expected reward under the true means, which
    has the mean of the sampled reward and less noise. All agents meet the same episodes.
    """
    chance, best = return_bounds(setting, episodes, seed)
    total = float(np.mean(play(agent, setting, episodes, seed).value.sum(axis=0)))
    return (total - chance) / (best - chance)
