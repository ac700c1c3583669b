"""The named settings that claims are judged on, and the score of an agent on a setting."""

from __future__ import annotations

from functools import cache
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.scoring.returns import expected_returns


class NamedSetting(Setting):
    """A setting under a short name.

    Args:
        name: as given on the command line.
        title: a few words for people.
        env: as for :class:`~metalocus.envs.setting.Setting`.
        **kwargs: as for :class:`~metalocus.envs.setting.Setting`.
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


@cache
def return_bounds(setting: Setting, episodes: int, seed: int) -> tuple[float, float]:
    """Mean expected return of random choice and of the best reference.

    Raises:
        InvalidTask: they are equal, so that there is no score.
    """
    chance, best = (
        float(expected_returns(agent, setting, episodes, seed).mean())
        for agent in (make_named("random", setting.family), best_reference(setting.family))
    )
    if chance == best:
        raise InvalidTask(f"no score on {setting}: random choice earns as much as the best")
    return chance, best


def score(agent: Agent, setting: Setting, episodes: int, seed: int) -> float:
    """Mean expected return on a scale where random choice is 0 and the best reference is 1.

    All agents meet the same episodes.

    Raises:
        InvalidTask: as :func:`return_bounds`.
        NonFinite: a number on the way is not finite.
    """
    chance, best = return_bounds(setting, episodes, seed)
    mean = float(expected_returns(agent, setting, episodes, seed).mean())
    return (mean - chance) / (best - chance)
