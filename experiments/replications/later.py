"""Long lives are learned after short ones, in large rollouts and without discount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from metalocus.envs import Setting
from metalocus.experiments.replications.base import Training

LATE: Mapping[str, object] = {"gamma": 1.0, "gae_lambda": 0.995, "ent_coef": 2e-4}
"""What is found out early pays to the end. With 100 inner episodes of a process, at seed 900, alike
pairs fell short of BEB by 91 ± 4 after 2M such steps at a discount of .95, by 46 at .998 and 32 at
.999 (4M); at 1 by 3 ± 3 after 12M (1,000 episodes each)."""
SHORT = 100
"""Steps of a life that is learned with the first of the rates, longer ones with the second."""
RATES = "lin_1e-3", "lin_3e-4"
"""Learning rates, at seed 900. With 100 pulls of ten arms regret was .12 ± .04 after 12M steps with
the lower one, .07 after 8M with the higher. A rate that stays at .0003 makes the end a matter of
luck: with 500 pulls 1.7, .7, .5 and 6.9 after 4, 8, 12 and 16M (± .3)."""
ROLLOUT = 100_000
"""Steps of a rollout. The default's dozen episodes of 1,000 steps are noisy and played at a tenth
of the speed."""


def later(
    first: Training,
    start: str,
    setting: Setting,
    steps: int,
    rollout: int = ROLLOUT,
    **changes: object,
) -> Training:
    """The training that goes on from another one.

    Args:
        first: the other, on shorter episodes or with a shorter discount.
        start: its name among those of the part.
        setting: what is trained on now.
        steps: at full size.
        rollout: steps of a rollout.
        **changes: settings of the trainer that differ from ``LATE`` and ``RATES``.
    """
    horizon = setting.family.horizon
    settings = {**LATE, "learning_rate": RATES[horizon > SHORT], **changes}
    n_envs = rollout // horizon
    return replace(
        first, setting=setting, steps=steps, train_kwargs=settings, start=start, n_envs=n_envs
    )
