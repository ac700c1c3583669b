"""The exact filter of the rainbow bandit."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.envs import Family
from metalocus.envs.families.rainbow_bandit import CHANNELS, RainbowBandit

UNSEEN = -1.0


class RainbowFilter(ReferencePolicy):
    """Infers which colour pays and pulls it wherever it is.

    Greedy on this filter is Bayes-optimal: a reward of one colour says what a failure of
    the other says (p against 1 - p), so no choice brings more information than another.

    The state is ``colour`` [N, 3], the one that was on the left at first (-1 before), and
    ``belief`` [N], the probability that it pays. A reward that the belief held impossible
    leaves no belief: it starts anew at 1/2.

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
        """The rainbow bandit alone."""
        if isinstance(family, RainbowBandit):
            return None
        return "it infers which colour pays, which only RainbowBandit has"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: no choice brings more information than another."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No colour seen."""
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
        agrees = chosen == (reward > 0.5)
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
