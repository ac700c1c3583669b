"""Long lives are learned after short ones: in large rollouts, with small steps and no discount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from metalocus.envs import Setting
from metalocus.experiments.replications.base import Training

LATE: Mapping[str, object] = {
    "learning_rate": "lin_1e-3",
    "gamma": 1.0,
    "gae_lambda": 0.995,
    "ent_coef": 2e-4,
}
"""What is found out early pays to the end. With 100 inner episodes of a process, at seed 900, alike
pairs fell short of BEB by 91 ± 4 after 2M such steps at a discount of .95, by 46 at .998 and 32 at
.999 (4M); at 1 by 3 ± 3 after 12M (1,000 episodes each). A rate that stays makes the end a matter
of luck: with .0003, 500 pulls and ten arms, regret after 4, 8, 12 and 16M steps was 1.7, .7, .5 and
6.9 (2,000 episodes, ± .3)."""
ROLLOUT = 100_000
"""Steps of a rollout. The default's dozen episodes of 1,000 steps are noisy and played at a tenth
of the speed."""


def later(first: Training, start: str, setting: Setting, steps: int) -> Training:
    """The training that goes on from another one.

    Args:
        first: the other, on shorter episodes or with a shorter discount.
        start: its name among those of the part.
        setting: what is trained on now.
        steps: at full size.
    """
    n_envs = ROLLOUT // setting.family.horizon
    return replace(
        first, setting=setting, steps=steps, train_kwargs=LATE, start=start, n_envs=n_envs
    )
