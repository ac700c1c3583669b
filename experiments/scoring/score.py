"""The score of an agent on a setting."""

from __future__ import annotations

from functools import cache

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference, make_named
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.discovery import OUTSIDE
from metalocus.experiments.scoring.returns import expected_returns


def return_bounds(setting: Setting, episodes: int, seed: int) -> tuple[float, float]:
    """Mean expected return of random choice and of the best reference.

    Raises:
        InvalidTask: they are equal, so that there is no score.
    """
    return bounds_with(tuple(OUTSIDE), setting, episodes, seed)


@cache
def bounds_with(
    loaded: tuple[str, ...], setting: Setting, episodes: int, seed: int
) -> tuple[float, float]:
    """As :func:`return_bounds`, kept; what is loaded may hold a better reference."""
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
