"""The exact filter of the card-sorting task whose rule switches."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, NEAR, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.agents.references.switching.hidden_markov import after_hazard, posterior
from metalocus.envs import Family
from metalocus.envs.families.rule_switching import RuleSwitching


class RuleFilter(ReferencePolicy):
    """Infers which feature is the rule and takes the pile of highest expected reward.

    Greedy choice on the filter is Bayes-optimal for two features: the piles that the features
    point to are equally informative (p against 1 - p); any other pile tells nothing and pays the
    least (for p < 1/2 the most, and is chosen). With more features the piles differ in
    information, which greedy choice ignores: enumeration finds no loss for three features in
    short episodes, and less than 1e-3 of the reward for four.

    The state is ``belief`` [N, F], the probability that each feature is the rule at the
    coming trial, given everything before it (with a cue, the cue too once ``act`` has seen
    it), and ``right`` [N, K], the probability that each pile is the right one for the card
    that ``act`` has seen last. Feedback of probability 0 under the belief resets it to uniform.

    Source: the forward recursion of Rabiner 1989, "A tutorial on hidden Markov models",
    equations 19 to 21.
    """

    name: ClassVar[str] = "rule_filter"
    summary: ClassVar[str] = "greedy on the exact filter of the rule; optimal for two features"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, RuleSwitching)  # why_not has refused all others
        self.p, self.hazard, self.n_features = family.p, family.hazard, family.n_features
        self.cue_size = family.cue_size

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the card-sorting task can be played."""
        if isinstance(family, RuleSwitching):
            return None
        return "it filters a hidden sorting rule, which only RuleSwitching has"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact for two features or with the rule shown, else near the optimum."""
        assert isinstance(family, RuleSwitching)  # why_not has refused all others
        return EXACT if family.n_features == 2 or family.cued else NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """A uniform belief, and no card seen."""
        belief = np.full((n, self.n_features), 1.0 / self.n_features)
        return Stores(state={"belief": belief, "right": np.full((n, self.n_arms), 1 / self.n_arms)})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the piles of highest expected reward, [N, K]."""
        belief = stimulus[:, : self.cue_size].astype(float)
        if not self.cue_size:
            belief = stores.state["belief"]
        right = np.einsum("nf,nfk->nk", belief, self._card(stimulus))
        stores = replace(stores, state={"belief": belief, "right": right})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the feedback, then a switch with the hazard's probability."""
        points = self._card(stimulus)[np.arange(len(action)), :, action] > 0.5
        agrees = points == rewarded(reward)[:, None]
        belief = posterior(stores.state["belief"], np.where(agrees, self.p, 1.0 - self.p))
        belief = after_hazard(belief, self.hazard)
        return replace(stores, state={**stores.state, "belief": belief})

    def values(self, stores: Stores) -> Array:
        """Expected reward of every pile for the card seen last, [N, K].

        Later rewards are left out; for two features their sum is the same after every pile that
        might be chosen.
        """
        values: Array = stores.state["right"] * (2.0 * self.p - 1.0) + (1.0 - self.p)
        return values

    def _card(self, stimulus: Array) -> Array:
        """One-hot pile that each feature of the card points to, [N, F, K]."""
        return stimulus[:, self.cue_size :].reshape(-1, self.n_features, self.n_arms)
