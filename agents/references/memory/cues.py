"""The exact belief of the two parting cues: which of them can be trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, NEAR, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.agents.references.rewards import rewarded
from metalocus.agents.references.switching.hidden_markov import posterior
from metalocus.envs import Family
from metalocus.envs.families.parting_cues import PartingCues


class CueTrust(ReferencePolicy):
    """Infers which cue can be trusted and pulls the arm of highest expected reward.

    Greedy choice on the belief is Bayes-optimal where all choices worth making are equally
    informative: the cues always agree, it is known which one to trust, a trusted cue is always
    right or no better than chance, or there are two arms. Else the arms of the two cues may
    tell different amounts, which greed ignores; enumeration finds no loss in short episodes, but
    there is no proof.

    The state is ``belief`` [N, 2], the probability that each cue is the trusted one, and
    ``chance`` [N, 2, K], the probability that each arm pays in the trial that ``act`` has seen
    last if the first, or the second, is. Feedback of probability 0 makes the belief uniform.

    Source: the rule follows from the task.
    """

    name: ClassVar[str] = "cue_trust"
    summary: ClassVar[str] = "exact belief on which of two cues to trust, greedy choice"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, PartingCues)  # why_not has refused all others
        self.first, self.right = family.first, family.validity
        self.wrong = (1.0 - family.validity) / (family.n_arms - 1)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only the parting cues can be played."""
        return None if isinstance(family, PartingCues) else "it weighs the cues of PartingCues"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact where nothing is to be learned or all choices are equally informative."""
        assert isinstance(family, PartingCues)  # why_not has refused all others
        nothing = family.agree == 1.0 or family.first in (0.0, 1.0)
        alike = family.n_arms == 2 or family.validity in (1.0, 1.0 / family.n_arms)
        return EXACT if nothing or alike else NEAR

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """The belief before any reward, and no cue seen."""
        belief = np.tile([self.first, 1.0 - self.first], (n, 1))
        chance = np.full((n, 2, self.n_arms), 1.0 / self.n_arms)
        return Stores(state={"belief": belief, "chance": chance})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Equal probability on the arms of highest expected reward, [N, K]."""
        named = stimulus.reshape(-1, 2, self.n_arms)
        chance = np.where(named > 0.5, self.right, self.wrong)
        stores = replace(stores, state={**stores.state, "chance": chance})
        return spread(best_arms(self.values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Bayes' rule on the reward; the cues themselves are as probable under both."""
        chance = stores.state["chance"][np.arange(len(action)), :, action]
        likelihood = np.where(rewarded(reward)[:, None], chance, 1.0 - chance)
        belief = posterior(stores.state["belief"], likelihood)
        return replace(stores, state={**stores.state, "belief": belief})

    def values(self, stores: Stores) -> Array:
        """Expected reward of every arm now, [N, K]; later rewards are left out."""
        values: Array = np.einsum("nc,nck->nk", stores.state["belief"], stores.state["chance"])
        return values
