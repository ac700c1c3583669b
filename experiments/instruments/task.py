"""What several probes ask of a task: which choices pay, mirrored rewards, unrelated episodes."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Array
from metalocus.agents.references.generic.policies import Random
from metalocus.agents.rollout import TUNING_SEED, fresh_episodes, fresh_keys, rollout
from metalocus.envs import Episodes, Family, Setting
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families.two_step import TwoStep
from metalocus.experiments.scoring.chunks import Chunk
from metalocus.experiments.scoring.curves import NO_GAP, choice_bounds

ASKED = 100
"""Episodes that are asked at which trials choices pay; this is hardly ever a matter of chance."""


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


def paying_trials(setting: Setting) -> list[int]:
    """Steps at which one action is worth more than another, in order; none if all are equal.

    A dataset bandit in sequence pays for the choice at the query alone, and the second step of the
    two-step task offers no choice. Random play of a few other episodes shows it.
    """
    episodes = fresh_episodes(setting.whole(), ASKED, TUNING_SEED)
    chance, best = choice_bounds(rollout(Random(setting.family), episodes).privileged_value)
    return np.flatnonzero((best - chance).max(axis=1) > NO_GAP).tolist()


def no_telling_reward(setting: Setting) -> str | None:
    """Why no reward tells anything of a later choice, in one line; None if one does."""
    reason = no_later_choice(setting.family)
    if reason is None and len(paying_trials(setting)) == 1:
        return "the only choice that pays comes before any reward, which can tell nothing of it"
    return reason


def mirrored(family: Family, reward: Array) -> Array:
    """Rewards reflected in the middle of the family's range: of 0 and 1, the other."""
    low, high = family.reward_range
    other: Array = low + high - reward
    return other


def unrelated(chunk: Chunk) -> Episodes:
    """For every episode of a chunk another one, on a task drawn anew; the same in any chunk."""
    keys = fresh_keys(chunk.n, chunk.seed, chunk.first)
    return chunk.setting.episodes(CommonRandomNumbers(keys).bits("another"))
