"""What several probes ask of a task: its steps a trial, mirrored rewards, unrelated episodes."""

from __future__ import annotations

from metalocus.agents.agent import Array
from metalocus.agents.rollout import fresh_keys
from metalocus.envs import Episodes, Family
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families.two_step import TwoStep
from metalocus.experiments.scoring.chunks import Chunk


def steps_a_trial(family: Family) -> int:
    """Steps from one choice that matters to the next: 2 on the two-step task, else 1.

    The choice is taken at the first of them, and the reward comes at the last.
    """
    return 2 if isinstance(family, TwoStep) else 1


def no_later_choice(family: Family) -> str | None:
    """Why no feedback can change a choice in a family, in one line; None if it can."""
    needed = 2 * steps_a_trial(family)
    if family.horizon >= needed:
        return None
    return f"no choice follows a reward here; use a horizon of at least {needed}"


def mirrored(family: Family, reward: Array) -> Array:
    """Rewards reflected in the middle of the family's range: of 0 and 1, the other."""
    low, high = family.reward_range
    other: Array = low + high - reward
    return other


def unrelated(chunk: Chunk) -> Episodes:
    """For every episode of a chunk another one, on a task drawn anew; the same in any chunk."""
    keys = fresh_keys(chunk.n, chunk.seed, chunk.first)
    return chunk.setting.episodes(CommonRandomNumbers(keys).bits("another"))
