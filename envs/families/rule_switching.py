"""Card sorting in the Wisconsin style: the relevant feature changes without a signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from metalocus.envs.checks import require_below, require_count, require_flag, require_probability
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families._switching import switched
from metalocus.envs.family import Array, Family, Latents, bernoulli_rewards


class RuleSwitching(Family):
    """Sort each card to the pile that matches it in the relevant feature, the rule.

    ## Description
    Before every trial a card with several features is shown, say a colour, a shape and a
    number. Pile k shows value k in every feature, as the four key cards of the Wisconsin
    test do (one red triangle, two green stars, ...), so each feature of the card points to
    a pile. One feature is the rule, which only feedback can tell and which changes without a
    signal. Feedback on one card is evidence about the rule for all other cards. With
    ``cued=True`` the rule is shown, and nothing needs to be learned: the control.

    ## Action Space
    ``Discrete(n_arms)``: the pile.

    ## Observation Space
    The card, a one-hot value for each feature (``n_features * n_arms`` numbers), then
    feedback (previous action and reward, first-step flag). If ``cued``, the one-hot rule
    comes first. A card alone is evidence: a pile that it matches in two features is right
    more often than one that it matches in one.

    ## Starting State
    The rule is drawn uniformly. The values of every card are drawn independently, so all
    ``n_arms ** n_features`` cards (the test's 64) are equally frequent.

    ## Rewards
    1 with probability ``p`` on the right pile and ``1 - p`` on any other, else 0. Before
    every trial but the first, another feature becomes the rule with probability ``hazard``,
    all others equally likely.

    ## Episode End
    Terminates after ``horizon`` trials; never truncates.

    ## Information
    ``rule`` (the relevant feature) and ``card`` (its values) only with ``reveal=True``.

    ## Arguments
    * ``n_arms``: number of piles, and of values of a feature, at least 2. Default 4.
    * ``n_features``: features of a card, at least 2. Default 3.
    * ``p``: the right pile's probability of reward. Default 1, as in the test.
    * ``hazard``: probability of another rule before each trial. Default .05.
    * ``horizon``: trials in an episode. Default 100.
    * ``cued``: show the rule. Default False.

    ## References
    Berg 1948, "A simple objective technique for measuring flexibility in thinking"; Collins &
    Frank 2013, "Cognitive control over learning: creating, clustering, and generalizing
    task-set structure".

    ## Version History
    * v0: first version.
    """

    name: ClassVar[str] = "RuleSwitching-v0"
    separates: ClassVar[str] = "inferring a rule for all cards from learning card by card"
    examples: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"cued": True},
        {"p": 0.85},
        {"n_arms": 2, "n_features": 2, "hazard": 0.0},
    )

    def __init__(
        self,
        n_arms: int = 4,
        n_features: int = 3,
        p: float = 1.0,
        hazard: float = 0.05,
        horizon: int = 100,
        cued: bool = False,
    ) -> None:
        self.n_arms = require_count("n_arms", n_arms, 2)
        self.n_features = require_count("n_features", n_features, 2)
        self.p = require_probability("p", p)
        self.hazard = require_probability("hazard", hazard)
        self.horizon = require_count("horizon", horizon, 1)
        self.cued = require_flag("cued", cued)
        self.cue_size = self.n_features if self.cued else 0
        self.stimulus_size = self.cue_size + self.n_features * self.n_arms
        self.telling = True
        self.switches = "rule"

    def begin(self, crn: CommonRandomNumbers) -> Latents:
        """``rule`` [N] and the first ``card`` [N, F], the pile that each feature points to."""
        rule = (crn.uniform("task") * self.n_features).astype(np.int64)
        return {"rule": rule, "card": self._card(crn, 0)}

    def means(self, latents: Latents) -> Array:
        """Probability p for the right pile, 1 - p for the others, [N, K]."""
        right = self._right(latents)
        return np.where(np.arange(self.n_arms) == right[:, None], self.p, 1.0 - self.p)

    def step(
        self, latents: Latents, action: Array, t: Array, crn: CommonRandomNumbers
    ) -> tuple[Array, Latents]:
        """Bernoulli reward; then another rule at the hazard rate, and the next card."""
        chance = np.where(action == self._right(latents), self.p, 1.0 - self.p)
        reward = bernoulli_rewards(chance, action, t, crn)
        rule = switched(latents["rule"], self.n_features, self.hazard, crn, t + 1)
        return reward, {"rule": rule, "card": self._card(crn, t + 1)}

    def stimulus(self, latents: Latents) -> Array:
        """The rule if cued, and the card, [N, S]."""
        rule, card = latents["rule"], latents["card"]
        shown = np.zeros((len(card), self.stimulus_size), dtype=np.float32)
        ones = card + (self.cue_size + np.arange(self.n_features) * self.n_arms)
        np.put_along_axis(shown, ones, 1.0, axis=1)
        if self.cued:
            np.put_along_axis(shown, rule[:, None], 1.0, axis=1)
        return shown

    def check_task(self, latents: Latents) -> None:
        """The rule is a feature, and each feature points to a pile."""
        require_below("rule", latents["rule"], self.n_features)
        require_below("card", latents["card"], self.n_arms)

    def _right(self, latents: Latents) -> Array:
        """The pile that the rule points to, [N]."""
        right: Array = latents["card"][np.arange(len(latents["rule"])), latents["rule"]]
        return right

    def _card(self, crn: CommonRandomNumbers, t: Array | int) -> Array:
        """The card of trial t: for each feature the pile that it points to, [N, F]."""
        u = crn.uniform("card", t, np.arange(self.n_features)[None])
        return (u * self.n_arms).astype(np.int64)
