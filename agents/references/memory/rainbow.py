"""The optimum of the rainbow bandit: the exact belief on which colour pays."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.envs import Family
from metalocus.envs.families.rainbow_bandit import CHANNELS, RainbowBandit

UNSEEN = -1.0
"""Stands for each channel of the colour before the first trial; colours are from 0 to 1."""


class RainbowFilter(ReferencePolicy):
    """Infers which colour pays and pulls it wherever it is.

    Greedy choice on the belief is Bayes-optimal: a reward of one colour is as likely as a
    failure of the other under both hypotheses (p against 1 - p), so both choices are equally
    informative.

    The state is ``colour`` [N, 3], the one on the left in the first trial (-1 before), and
    ``belief`` [N], the probability that it pays. A reward of probability 0 under the belief
    resets it to 1/2.

    Source: Bayes' rule on the two hypotheses, on the task of Juliani 2017.
    """

    name: ClassVar[str] = "rainbow_filter"
    summary: ClassVar[str] = "greedy on the exact belief on which colour pays, Bayes-optimal"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, RainbowBandit)  # why_not has refused all others
        self.p, self.cued = family.p, family.cued

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the rainbow bandit can be played."""
        if isinstance(family, RainbowBandit):
            return None
        return "it infers which colour pays, which only RainbowBandit has"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: both choices are equally informative."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No colour seen, and a belief of 1/2."""
        state = {"colour": np.full((n, CHANNELS), UNSEEN), "belief": np.full(n, 0.5)}
        return Stores(state=state)

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the sides of higher expected reward, [N, 2]."""
        colour, belief = stores.state["colour"], stores.state["belief"]
        if self.cued:
            colour, belief = stimulus[:, -CHANNELS:].astype(float), np.ones(len(stimulus))
        else:
            unseen = (colour == UNSEEN).all(axis=1, keepdims=True)
            colour = np.where(unseen, stimulus[:, :CHANNELS], colour)
        left = np.where(_is_left(colour, stimulus), belief, 1.0 - belief)
        chance = np.stack([left, 1.0 - left], axis=1)  # that each side pays
        expected = chance * (2.0 * self.p - 1.0) + (1.0 - self.p)
        stores = replace(stores, state={"colour": colour, "belief": belief})
        return spread(best_arms(expected)), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on whether the colour pays."""
        colour, belief = stores.state["colour"], stores.state["belief"]
        chosen = _is_left(colour, stimulus) == (action == 0)
        agrees = chosen == rewarded(reward)
        yes = belief * np.where(agrees, self.p, 1.0 - self.p)
        no = (1.0 - belief) * np.where(agrees, 1.0 - self.p, self.p)
        evidence = yes + no
        belief = np.divide(yes, evidence, out=np.full_like(yes, 0.5), where=evidence > 0.0)
        return replace(stores, state={"colour": colour, "belief": belief})


def _is_left(colour: Array, stimulus: Array) -> Array:
    """Whether a colour [N, 3] is nearer to the left arm's than to the right one's, [N]."""
    left, right = stimulus[:, :CHANNELS], stimulus[:, CHANNELS : 2 * CHANNELS]
    nearer: Array = ((left - colour) ** 2).sum(axis=1) <= ((right - colour) ** 2).sum(axis=1)
    return nearer
