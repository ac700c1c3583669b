"""What families of stationary arms with Bernoulli rewards share: all but how tasks are drawn."""

from __future__ import annotations

import numpy as np

from metalocus.envs.checks import require_within
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards


class StationaryArms(Family):
    """Arms that pay 1 with a probability of their own, else 0; a task is ``means`` [N, K]."""

    def means(self, latents: Latents) -> Array:
        """The latent itself, [N, K]."""
        return latents["means"]

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward; the latents do not change."""
        chance = latents["means"][np.arange(len(action)), action]
        return bernoulli_rewards(chance, action, t, crn), latents

    def check_task(self, latents: Latents) -> None:
        """Every mean is a probability."""
        require_within("means", latents["means"], 0.0, 1.0)
