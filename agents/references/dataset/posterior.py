"""The exact posterior of a dataset of arms and rewards."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Array, ReferencePolicy, Stores, best_arms, spread
from metalocus.envs import Family
from metalocus.envs.families.dataset_bandit import DatasetBandit


class Posterior(ReferencePolicy):
    """Bayes-optimal on examples of arms and rewards: a Beta posterior an arm, with lookahead.

    With one choice left, the arm of highest posterior mean is optimal. With two
    (``again``), the value of the first includes the information that it gives the second:
    dynamic programming over two steps. Shuffled evidence says the same about every arm, so it
    is not counted; with exchangeable arms that is optimal too.

    The state holds successes and failures, [N, K, 2]: ``evidence`` from the examples and
    ``feedback`` from its own choices.

    Source: Bayes's rule with a uniform prior; Berry & Fristedt 1985, "Bandit problems", 2.4.
    """

    name: ClassVar[str] = "posterior"
    summary: ClassVar[str] = "exact Beta posterior of arm-reward examples, Bayes-optimal"

    def __init__(self, family: Family) -> None:
        super().__init__(family)
        assert isinstance(family, DatasetBandit)  # why_not has refused all others
        self.dataset = family

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only examples of arms and their rewards can be read."""
        if isinstance(family, DatasetBandit) and family.rule == "arms":
            return None
        return "it reads arm-reward examples, which only DatasetBandit with rule='arms' shows"

    @classmethod
    def optimality(cls, family: Family) -> int:
        """Exact: conjugate posteriors, and all of the at most two choices are planned."""
        return EXACT

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """No evidence and no feedback."""
        empty = np.zeros((n, self.n_arms, 2))
        return Stores(state={"evidence": empty, "feedback": empty.copy()})

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """Count the examples that come with the query; the arms of greatest value, [N, K]."""
        stores = self._count(stores, stimulus, self.dataset.asked(stimulus))
        return spread(best_arms(self._action_values(stores))), stores

    def learn(self, stores: Stores, stimulus: Array, action: Array, reward: Array) -> Stores:
        """Count the choice if it was one that pays, else the example shown."""
        asked = self.dataset.asked(stimulus)
        chosen = (np.arange(self.n_arms) == action[:, None]) & asked[:, None]
        paid = np.stack([reward, 1.0 - reward], axis=1)
        feedback = stores.state["feedback"] + chosen[:, :, None] * paid[:, None]
        stores = self._count(stores, stimulus, ~asked)
        return replace(stores, state={**stores.state, "feedback": feedback})

    def _count(self, stores: Stores, stimulus: Array, where: Array) -> Stores:
        """Count the examples of a stimulus in the rows of a mask [N]."""
        arms, rewards, _ = self.dataset.read(stimulus)
        paid = np.concatenate([rewards, 1.0 - rewards], axis=2) * where[:, None, None]
        evidence = stores.state["evidence"] + arms.transpose(0, 2, 1) @ paid
        return replace(stores, state={**stores.state, "evidence": evidence})

    def values(self, stores: Stores) -> Array | None:
        """Exact reward still to come if the arm is chosen next, [N, K].

        0 while examples are still to come: no choice counts before the query. None for shuffled
        examples with two choices: they are evidence about the set of the arms' chances, so the
        reward to come is not that of the posterior used here.
        """
        return None if self.dataset.again and self.dataset.shuffled else self._action_values(stores)

    def _action_values(self, stores: Stores) -> Array:
        """Values that the choice is made by, [N, K]."""
        evidence, feedback = stores.state["evidence"], stores.state["feedback"]
        counts = 1.0 + feedback + (0.0 if self.dataset.shuffled else evidence)
        successes, pulls = counts[:, :, 0], counts.sum(axis=2)
        mean = successes / pulls
        values = mean
        if self.dataset.again:
            others = _best_other(mean)
            win, loss = ((successes + one) / (pulls + 1.0) for one in (1.0, 0.0))
            then = mean * np.maximum(win, others) + (1.0 - mean) * np.maximum(loss, others)
            first = feedback.sum(axis=(1, 2)) < 0.5
            values = mean + first[:, None] * then
        asked = evidence.sum(axis=(1, 2)) > self.dataset.n_examples - 0.5
        counted: Array = values * asked[:, None]
        return counted


def _best_other(values: Array) -> Array:
    """The greatest of the other arms' values, [N, K] -> [N, K]."""
    ordered = np.sort(values, axis=1)
    first, second = ordered[:, -1:], ordered[:, -2:-1]
    return np.where(values == first, second, first)
