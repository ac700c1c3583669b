"""A Bernoulli bandit whose outcomes are shown at once and paid at the end of the episode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require_below, require_count, require_within
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards


class FinalPay(Family):
    """K stationary arms; what a pull yields is seen before the next, and paid after the last.

    ## Description
    The reward is as sparse as it can be: nothing until the last pull, then all that the episode
    has yielded. What an agent can learn from is as dense as in a plain bandit, as every outcome is
    shown. An agent that gets better within the episode has to do so by the outcomes it sees, not
    by the rewards it is given.

    ## Action Space
    ``Discrete(n_arms)``: the arm to pull.

    ## Observation Space
    The outcome of the last pull, 0 or 1 (0 before the first), and feedback (previous action and
    reward, first-step flag).

    ## Starting State
    Each arm's probability is drawn from U[0, 1].

    ## Rewards
    An outcome is 1 with the arm's probability, else 0. The reward is 0, and after the last pull the
    sum of all outcomes.

    ## Episode End
    Terminates after ``horizon`` pulls; never truncates.

    ## Information
    ``chances`` (true probabilities), ``outcome`` (of the last pull), ``owed`` (sum of the
    outcomes so far) and ``left`` (pulls) only with ``reveal=True``.

    ## Arguments
    * ``n_arms``: number of arms, at least 2. Default 2.
    * ``horizon``: pulls in an episode. Default 20.

    ## References
    The bandit of Duan et al. 2016, "RL^2", section 3.1, with its reward delayed; that an inner
    learner may have a denser signal than the outer one was put forward by Demski 2020.

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "FinalPay-v0"
    separates: ClassVar[str] = "learning from what is seen from learning from what is paid"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"n_arms": 5, "horizon": 50},
        {"horizon": 1},
    )
    stimulus_size = 1

    def __init__(self, n_arms: int = 2, horizon: int = 20) -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.horizon = require_count("horizon", horizon, 1)
        self.reward_range = (0.0, float(self.horizon))

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``chances`` [N, K], and ``outcome``, ``owed`` and ``left``, each [N]."""
        nothing = np.zeros(len(crn), dtype=np.int64)
        return {
            "chances": crn.uniform("task", 0, np.arange(self.n_arms)[None]),
            "outcome": nothing,
            "owed": nothing.copy(),
            "left": np.full(len(crn), self.horizon),
        }

    def means(self, latents: Latents) -> Array:
        """0, and at the last trial what is owed and the arm's chance, [N, K]."""
        last = (latents["left"] == 1)[:, None]
        return np.where(last, latents["owed"][:, None] + latents["chances"], 0.0)

    def privileged_value(self, latents: Latents) -> Array:
        """What the pull adds to the final pay, [N, K]; the rest is the same for all arms."""
        return latents["chances"]

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Nothing, or after the last pull the sum of the outcomes."""
        chance = latents["chances"][np.arange(len(action)), action]
        outcome = bernoulli_rewards(chance, action, t, crn).astype(np.int64)
        owed, left = latents["owed"] + outcome, latents["left"] - 1
        after = {**latents, "outcome": outcome, "owed": owed, "left": left}
        return np.where(left == 0, owed, 0).astype(np.float64), after

    def stimulus(self, latents: Latents) -> Array:
        """The outcome of the last pull, [N, 1]."""
        outcome: Array = latents["outcome"][:, None].astype(np.float32)
        return outcome

    @property
    def latent_size(self) -> int:
        """``chances`` of every arm, ``outcome``, ``owed`` and ``left``."""
        return self.n_arms + 3

    def check_task(self, latents: Latents) -> None:
        """Chances are probabilities, an outcome 0 or 1, and no more is owed than was pulled."""
        require_within("chances", latents["chances"], 0.0, 1.0)
        require_below("outcome", latents["outcome"], 2)
        require_below("left", latents["left"], self.horizon + 1)
        require_within("owed", latents["owed"], 0.0, self.horizon)
